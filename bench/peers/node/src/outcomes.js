// Waiting for what the worker makes of a job. A request is noted before its job is in the queue, so no outcome comes too
// early for it, finished jobs need not be kept, and nobody has to ask Redis about each.

const WAIT_MS = 25_000;

export class Outcomes {
  #waiting = new Map();

  constructor(events) {
    events.on('completed', ({ jobId, returnvalue }) => this.#settle(jobId, { wamid: returnvalue ?? undefined }));
    // After the last attempt only.
    events.on('failed', ({ jobId, failedReason }) => this.#settle(jobId, { reason: failedReason }));
    events.on('error', (error) => console.error(error));
  }

  /** Has the job queued, and waits for its wamid or for why it failed; empty when neither is known in time. */
  async of(jobId, queueJob) {
    const outcome = new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(jobId, {}), WAIT_MS);
      this.#waiting.set(jobId, { resolve, timer });
    });
    try {
      await queueJob();
    } catch (error) {
      this.#settle(jobId, {});
      throw error;
    }
    return outcome;
  }

  #settle(jobId, outcome) {
    const waiting = this.#waiting.get(jobId);
    if (!waiting) return;
    this.#waiting.delete(jobId);
    clearTimeout(waiting.timer);
    waiting.resolve(outcome);
  }
}
