// The steps of an upload, as core/uploads.js names them. Each resolves with what it found out, or rejects as io/uploader.js.

import { SLICE } from "./io/uploader.js";

export class Steps {
  /** `files` and `portraits` are by client_id. `moved(upload, bytes)` hears how far it has come. */
  constructor({ client, kept, uploader, files, portraits }) {
    Object.assign(this, { client, kept, uploader, files, portraits });
    this.moved = () => {};
  }

  async create(upload, signal) {
    const { clientId } = upload;
    const { width, height, preview } = await this.portraits.get(clientId);
    Object.assign(upload, { width, height });
    // Written down first: asked for again after a reload, it has to be the same wish.
    await this.kept.change(clientId, { width, height, drawn: true, ...(preview && { preview }) }).catch(() => {});
    const { id, offset } = await this.uploader.create(upload, clientId, signal);
    if (upload.end) {
      // Given up while it was on its way.
      this.uploader.cancel(id).catch(() => {});
      return {};
    }
    upload.id = id;
    await this.kept.change(clientId, { id }).catch(() => {});
    // A card without its picture is no reason to keep the file back.
    const shown = preview ? await this.uploader.preview(id, preview).then(() => true, () => false) : false;
    this.release(upload, shown);
    return { id, offset };
  }

  /** The server knows the file: its message may go. */
  release({ clientId, id, name, type, size, width, height }, preview = false) {
    this.client.release(clientId, { id, name, type, size, preview, ...(width > 0 && { width, height }) });
  }

  async look(upload, signal) {
    return { offset: await this.uploader.look(upload.id, signal) };
  }

  async send(upload, signal) {
    const { id, offset, clientId } = upload;
    const slice = this.files.get(clientId).slice(offset, offset + SLICE);
    const progress = (bytes) => this.moved(upload, offset + bytes);
    return { offset: await this.uploader.send(id, offset, slice, { progress, signal }) };
  }

  async declare(upload, signal) {
    await this.uploader.declare(upload.id, upload.sha256, signal).catch((error) => {
      // It was declared before: what became of that is seen by watching.
      if (error.code !== "conflict") throw error;
    });
    await this.kept.change(upload.clientId, { declared: true }).catch(() => {});
    return { declared: true };
  }

  async watch(upload) {
    const [one] = await this.uploader.states([upload.id]);
    return one ? { state: one.state, reason: one.reason } : { state: "expired" };
  }

  async drop(upload) {
    await this.uploader.cancel(upload.id);
    return {};
  }
}
