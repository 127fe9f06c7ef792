// graphile-worker beside the sidecar. Works until it has done so many jobs, and prints what it saw; "ready" is the line before it.
//   note COUNT    the jobs come while it works: prints [[id, milliseconds since 1970], ...], when the handler of each was entered
//   follow COUNT  the jobs come while it works: prints a line when all are done
//   drain COUNT   the jobs are there: prints the seconds it took, its start not counted
import { run } from "graphile-worker";

const [mode, count] = [process.argv[2], Number(process.argv[3])];
const seen = [];
let [done, began] = [0, 0];
let finish;
const finished = new Promise(resolve => { finish = resolve; });

const runner = await run({
  preset: {
    worker: {
      connectionString: process.env.DATABASE_URL,
      // What its manual advises for throughput; for the time to the first step every job is looked for as soon as it is announced.
      ...(mode !== "note"
        ? { concurrentJobs: 24, maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
        : { concurrentJobs: 10, maxPoolSize: 11 }),
    },
  },
  logger: quiet(),
  noHandleSignals: true,
  taskList: {
    note: payload => {
      if (mode === "note") seen.push([payload.id, performance.timeOrigin + performance.now()]);
      if (done++ === 0) began = performance.now();
      if (done === count) finish();
    },
  },
});
console.log("ready");
await finished;
console.log(JSON.stringify(mode === "note" ? seen : (performance.now() - began) / 1000));
await runner.stop();

function quiet() {
  const scope = () => quiet();
  return { error() {}, warn() {}, info() {}, debug() {}, log() {}, scope };
}
