// The ONNX Runtime side of bench/encoder. Each line of the standard input is
// answered by the seconds of one forward pass; the logits go to a file.
const fs = require('fs');
const readline = require('readline');
const ort = require('onnxruntime-node');

const [graph, ids, threads, out] = process.argv.slice(2);

async function main() {
  const session = await ort.InferenceSession.create(graph, {
    intraOpNumThreads: Number(threads), interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
  });
  const data = BigInt64Array.from(ids.split(',').map(BigInt));
  const feeds = { tokens: new ort.Tensor('int64', data, [data.length]) };
  const first = await session.run(feeds);
  fs.writeFileSync(out, Buffer.from(first.logits.data.buffer, first.logits.data.byteOffset, 4 * first.logits.data.length));
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const begin = process.hrtime.bigint();
    await session.run(feeds);
    console.log(Number(process.hrtime.bigint() - begin) / 1e9);
  }
}

main();
