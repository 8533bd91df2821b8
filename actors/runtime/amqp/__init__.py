"""The one place that speaks AMQP: aiormq, which never reconnects by itself, made to last."""

from actors.runtime.amqp.broker import AmqpBroker

__all__ = ["AmqpBroker"]
