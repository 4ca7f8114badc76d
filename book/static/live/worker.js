// Training without making the page stutter: in a Web Worker, in slices of a few milliseconds.
//
// The worker is started from a Blob of the source that the page has loaded: that works from disk
// too. A strict Content-Security-Policy may refuse it; then it is started from this file, and where
// that is refused as well, the same slices run in the page itself.
(globalThis.a3cModules ??= []).push(function worker(a3c) {
  "use strict";
  const SLICE = 8; // milliseconds between two looks at what else is to be done

  /** A function that answers one job after another; a newer job ends an older one. */
  function make_server(post) {
    let newest = 0;
    const waiting = [];
    const channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()();
    const pause = () =>
      new Promise((resume) => {
        waiting.push(resume);
        channel.port2.postMessage(null);
      });

    /** Drive one run; null if a newer job has come. */
    async function whole(job, asked) {
      const run = a3c.train(asked);
      let until = performance.now() + SLICE;
      for (;;) {
        const { done, value } = run.next();
        if (done) return value;
        if (performance.now() < until) continue;
        await pause();
        if (job.id !== newest) return null;
        until = performance.now() + SLICE;
      }
    }

    async function train_once(job) {
      const started = performance.now();
      const result = await whole(job, job.asked);
      if (result === null) return;
      if (!job.updates) delete result.updates;
      post({ id: job.id, kind: "result", ...result, milliseconds: performance.now() - started });
    }

    async function train_seeds(job) {
      const started = performance.now();
      for (const seed of job.seeds) {
        const result = await whole(job, { ...job.asked, seed });
        if (result === null) return;
        const path = a3c.greedy_path(job.asked.world, result.theta);
        post({
          id: job.id, kind: "seed", seed,
          diverged: result.diverged,
          curve: a3c.learning_curve(result.episodes, job.at),
          final: a3c.final_return(result.episodes),
          greedy: path === null ? NaN : path.terminated ? path.total_return : -Infinity,
        });
        await pause();
        if (job.id !== newest) return;
      }
      post({ id: job.id, kind: "seeds", milliseconds: performance.now() - started });
    }

    return (job) => {
      newest = job.id;
      const tasks = { run: train_once, seeds: train_seeds, stop: async () => {} };
      tasks[job.task](job).catch((error) => post({ id: job.id, kind: "error", text: String(error) }));
    };
  }

  /** Turn this thread, a worker's, into a server. */
  function serve(scope) {
    const answer = make_server((message) => scope.postMessage(message));
    scope.onmessage = (event) => answer(event.data);
    scope.postMessage({ kind: "ready" });
  }

  /** What the page asks; it finds out by itself where the work can be done. */
  class Trainer {
    /** `folder`: where these files are; `listen`: called with every answer to the newest job. */
    constructor(folder, listen) {
      this.listen = listen;
      this.id = 0;
      this.place = "";
      const web = location.protocol.startsWith("http");
      this.post = this.connect(web ? ["blob", "file"] : ["blob"], folder);
    }

    async ask(job) {
      const id = ++this.id;
      const post = await this.post;
      if (id === this.id) post({ ...job, id });
    }

    async connect(kinds, folder) {
      for (const kind of kinds) {
        const worker = await start_worker(kind, folder);
        if (worker === null) continue;
        worker.onmessage = (event) => this.hear(event.data);
        this.place = "in a web worker";
        return (job) => worker.postMessage(job);
      }
      this.place = "in the page itself";
      return make_server((message) => this.hear(message));
    }

    hear(message) {
      if (message.id === this.id) this.listen(message);
    }
  }

  /** A worker that has said that it is ready, or null. */
  function start_worker(kind, folder) {
    return new Promise((settle) => {
      let worker, url = null;
      const end = (result) => {
        clearTimeout(timer);
        if (url !== null) URL.revokeObjectURL(url);
        if (result === null) worker?.terminate();
        settle(result);
      };
      const timer = setTimeout(() => end(null), 5000);
      try {
        if (kind === "blob") url = URL.createObjectURL(new Blob([source()]));
        worker = new Worker(url ?? `${folder}worker.js`);
        worker.onerror = (event) => {
          event.preventDefault();
          end(null);
        };
        worker.onmessage = () => end(worker);
      } catch {
        end(null);
      }
    });
  }

  /** The source of a worker, made of the modules that this page has loaded. */
  function source() {
    const parts = globalThis.a3cModules.filter((module) => !module.page);
    return `"use strict"; const a3c = {};
      globalThis.a3cModules = [${parts.map(String).join(",\n")}];
      for (const module of a3cModules) module(a3c);
      a3c.serve(self);`;
  }

  Object.assign(a3c, { make_server, serve, Trainer });
});

if (typeof importScripts === "function") {
  // This file was started as a worker.
  importScripts(
    "random.js", "portable.js", "kernels.js", "log.js", "buffers.js", "turn.js", "networks.js",
    "motion.js", "network.js", "network_turn.js", "training.js",
  );
  const a3c = {};
  const [first, ...others] = globalThis.a3cModules; // this file's own module came first
  for (const module of [...others, first]) module(a3c);
  a3c.serve(self);
}
