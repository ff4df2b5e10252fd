// node open.js BUNDLE: opens the folder as it is in transformers.js and reads each text of golden.jsonl. One line of
// JSON each: the ids, the label of every one by the model itself, and what the pipeline tells, told to leave nothing out.
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { env, pipeline } from "@huggingface/transformers";

const folder = process.argv[2];
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const tag = await pipeline("token-classification", basename(folder));
const names = tag.model.config.id2label;

for (const line of readFileSync(`${folder}/golden.jsonl`, "utf8").trimEnd().split("\n")) {
  const { text } = JSON.parse(line);
  const inputs = tag.tokenizer(text, { truncation: true });
  const { logits } = await tag.model(inputs);
  const rows = logits.tolist()[0];
  const told = await tag(text, { ignore_labels: [] });
  const entities = await tag(text, { aggregation_strategy: "simple" });
  console.log(
    JSON.stringify({
      ids: inputs.input_ids.tolist()[0].map(Number),
      labels: rows.map((row) => names[row.indexOf(Math.max(...row))]),
      told: told.map(({ index, entity }) => [index, entity]),
      entities: entities.map(({ entity_group: type, word }) => [type, word]),
    }),
  );
}
await tag.dispose();
