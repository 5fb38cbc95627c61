import { describe, expect, it } from "vitest";
import { headline } from "../explain";
import { finding } from "./findings";
import { k } from "./kb";

const sources = (glob: Record<string, unknown>) =>
  Object.entries(glob)
    .filter(([name]) => !name.endsWith("_test.go"))
    .map(([, text]) => text as string)
    .join("\n");
const intents = sources(import.meta.glob(["../../../../intents/*.go", "../../../../intents/exchange/*.go"], { query: "?raw", import: "default", eager: true }));
const bot = sources(import.meta.glob("../../../../bot/*.go", { query: "?raw", import: "default", eager: true }));
const knowledge = sources(import.meta.glob("../../../../internal/knowledge/*.go", { query: "?raw", import: "default", eager: true }));
const all = (text: string, ...patterns: RegExp[]) => [...new Set(patterns.flatMap((p) => [...text.matchAll(p)].map((m) => m[1]!)))];

// A format of the server's, as it comes with something in every gap.
const filled = (format: string) => format.replaceAll('\\"', '"').replaceAll("%s", "abc").replaceAll("%d", "7").replaceAll("%q", '"甲"');
// They stand where problems are added, and are the literals there that hold words.
const formats = [
  ...new Set(
    intents
      .split("\n")
      .filter((line) => /(?:errorf|warnf|\.add|\.warn)\(|Msg: fmt\.Sprintf\(|msg := /.test(line))
      .flatMap((line) => [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]!))
      .filter((s) => /[a-z]/.test(s) && s.includes(" ")),
  ),
];

describe("what the server finds is worded", () => {
  it("has its sources here", () => expect([formats.length > 120, intents.length > 0, bot.length > 0, knowledge.length > 0]).toEqual([true, true, true, true]));

  // abc stands for what is the editor's own.
  const names = /abc|YAML|CSV|UTF-8|GB 18030|Excel|Rasa|nlu|responses|handoff|xlsx|csv|yaml|topics|zh|utter_|\{\{.*?\}\}/g;
  it.each(formats)("%s", (format) => {
    const said = finding(filled(format));
    expect(said).toMatch(/\p{Script=Han}/u);
    expect(said.replace(names, "")).not.toMatch(/[A-Za-z]|\$\d/);
  });

  it.each(all(intents, /^\s+Rule\w+\s+= "(\w+)"/gm))("rule %s", (rule) => expect(k.problem.rule[rule]).toBeTruthy());
});

it.each(all(bot, /(?:because|miss)\("(\w+)"/g, /Because = "(\w+)"/g))("the reason %s of a decision is worded", (because) =>
  expect(headline({ because })).toMatch(/\p{Script=Han}/u),
);

it.each(["cancelled", "interrupted", "took too long", ...all(knowledge, /return nil, kb\.Score\{\}, errors\.New\("(.*?)"\)/g, /run\.Error = kb\.Failed, "(.*?)"/g)])(
  "the end of a run, %s, is worded",
  (why) => expect(k.run.why[why]).toBeTruthy(),
);
