// pg-boss beside the sidecar: queues jobs, then does them, in batches of SIZE, and prints the seconds that took.
// Its own workers make the same two calls, and wait between them where a batch has one job; making them directly is its fastest way.
import { PgBoss } from "pg-boss";

const [count, size] = process.argv.slice(2).map(Number);
const loops = 8;
const queue = `batches_of_${size}`;
const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: loops + 1, supervise: false, schedule: false });
boss.on("error", error => console.error(error.message));
await boss.start();
await boss.createQueue(queue);
for (let i = 0; i < count; i += 1000)
  await boss.insert(queue, Array.from({ length: Math.min(1000, count - i) }, (_, k) => ({ data: { id: i + k } })));

const began = performance.now();
let done = 0;
await Promise.all(Array.from({ length: loops }, async () => {
  for (;;) {
    const jobs = await boss.fetch(queue, { batchSize: size });
    if (jobs.length === 0) return;
    for (const job of jobs) await handle(job);
    await boss.complete(queue, jobs.map(job => job.id));
    done += jobs.length;
  }
}));
if (done !== count) throw new Error(`${done} of ${count} jobs were done.`);
console.log(JSON.stringify((performance.now() - began) / 1000));
await boss.stop({ graceful: false });

async function handle() {}
