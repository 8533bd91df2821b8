// Every sentence that the operator's page says.

const ENGLISH = {
  "live.wait": "Connecting",
  "live.on": "Live",
  "live.lost": "Connection lost",

  "notice.lost": "The connection is lost. What you see is how it was at {time}.",
  "notice.alarm": "Alarm: {text}",

  "figure.uptime": "Supervisor up",
  "figure.memory": "Memory in all",
  "figure.waiting": "Waiting mail",
  "figure.rate": "Messages a second",
  "figure.restarts": "Restarts",
  "figure.none": "none answers",

  "actors.name": "Actor",
  "actors.state": "State",
  "actors.pid": "PID",
  "actors.uptime": "Uptime",
  "actors.restarts": "Restarts",
  "actors.depth": "Waiting",
  "actors.rate": "Msg/s",
  "actors.memory": "Memory",
  "actors.past": "Last 15 minutes",
  "actors.actions": "Actions",
  "actors.menu": "Actions for {name}",
  "actors.unknown": "–",

  "graph.label": "{name}, last 15 minutes: at most {most} waiting, restarts: {restarts}",

  "act.start": "Start",
  "act.stop": "Stop",
  "act.restart": "Restart",
  "act.kill": "Kill",
  "act.log": "Show log",
  "ask.start": "Start {name}?",
  "ask.stop": "Stop {name}?",
  "ask.restart": "Restart {name}?",
  "ask.kill": "Kill {name}?",
  "hint.start": "It is tried at once.",
  "hint.stop": "It finishes what it has in hand, and stays down until it is started again. {effect}",
  "hint.restart": "It finishes what it has in hand, ends, and is started again. {effect}",
  "hint.kill": "It ends at once, as in a crash, and the supervisor brings it back. Nothing that was stored is lost. {effect}",
  "effect.auth": "Meanwhile nobody can sign in or register.",
  "effect.contacts": "Meanwhile requests to be in contact wait.",
  "effect.router": "Meanwhile messages wait, and are delivered when it is back.",
  "effect.notifier": "Meanwhile notices and presence wait; messages do not.",
  "effect.front": "The people on it move to another front, and so may this page.",
  "effect.broker": "Meanwhile everything that changes data waits.",
  "effect.other": "",
  "did.start": "{name} was started",
  "did.stop": "{name} was stopped",
  "did.restart": "{name} was restarted",
  "did.kill": "{name} was killed",
  "did.under_way": "{name}: under way",
  "did.unknown": "No answer. The table shows what came of it.",

  "letters.none": "None. Every piece of mail could be handled.",
  "letters.looking": "Looking …",
  "letters.failed": "They cannot be looked at now: {reason}",
  "letters.more": "These are the oldest of {actor}; there are more.",
  "letters.again": "Look again",
  "letters.show": "Show",
  "letters.title": "Letter {mark}",
  "letters.noted": "That you read it stands in the audit log.",
  "letters.close": "Close",

  "log.whose": "Whose log",
  "log.none": "No log",
  "log.choose": "Choose whose log to follow.",
  "log.empty": "Nothing is written there yet.",
  "log.audit": "audit: who did what here",

  "state.starting": "starting",
  "state.running": "running",
  "state.stopping": "stopping",
  "state.stopped": "stopped",
  "state.backoff": "waiting to restart",
  "state.failing": "failing",
  "state.degraded": "degraded",
  "state.down": "not heard",
};

/** The sentence of a key, with {placeholders} filled in. */
export function say(key, values = {}) {
  const text = ENGLISH[key];
  if (text === undefined) throw new Error(`no words for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? "")).trim();
}

export const has = (key) => key in ENGLISH;
