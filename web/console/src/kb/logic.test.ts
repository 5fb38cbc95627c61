import { describe, expect, it } from "vitest";
import type { Topic, TopicLine, Version } from "./api";
import { differ, emptyTopic, entry, fieldOf, filterTopics, formatOf, lines, marks, mayOverride, mayPublish, mayWrite, merge, outcome, own, place, readRoute, said, size, topicID, twins, wording, writeRoute } from "./logic";

const topic = (t: Partial<Topic>): Topic => ({ ...emptyTopic("repay"), title: "还款", answer: "答", phrasings: ["怎么还款"], ...t });

describe("routes", () => {
  it.each([
    ["/console/kb", "", { tab: "topics", id: "", v: "current" }],
    ["/console/kb/topics/repay_fee", "?v=d1", { tab: "topics", id: "repay_fee", v: "d1" }],
    ["/console/kb/nowhere/%E0%A4%A", "", { tab: "topics", id: "", v: "current" }],
  ])("%s%s", (path, search, want) => expect(readRoute(path, search)).toEqual(want));
  it("come back as they were written", () => {
    const r = { tab: "tests", id: "a b/c", v: "v&1" } as const;
    const url = new URL("http://h" + writeRoute(r));
    expect(readRoute(url.pathname, url.search)).toEqual(r);
  });
});

describe("who may", () => {
  it("write, publish, override", () => {
    expect([mayWrite(["editor"]), mayWrite(["supervisor"]), mayWrite(["compliance"])]).toEqual([true, false, false]);
    expect([mayPublish(["editor"]), mayPublish(["compliance"])]).toEqual([true, false]);
    expect([mayOverride(["editor"]), mayOverride(["supervisor"]), mayOverride(["admin"])]).toEqual([false, true, true]);
  });
  it("own work is what one made, wrote in or submitted", () => {
    const v = { created_by: "a", authors: ["a", "b"], submitted_by: "c" } as Version;
    expect(["a", "b", "c", "d", ""].map((u) => own(v, u))).toEqual([true, true, true, false, false]);
  });
});

describe("phrasings", () => {
  it("are lines, without blanks", () => expect(lines(" 一\n\n二 \r\n")).toEqual(["一", "二"]));
  it("that say the same are found, by their place", () => {
    expect(twins(["怎么还款", "还款方式", "怎么还款？", "怎么还款呢", "ＡＰＰ打不开", "app 打不开"])).toEqual([
      { a: 1, b: 3, same: true },
      { a: 1, b: 4, same: false },
      { a: 5, b: 6, same: true },
    ]);
  });
  it("different ones, and signs alone, are left alone", () => expect(twins(["怎么还款", "怎么提前还款", "？", "！", "吗", "呢"])).toEqual([]));
});

describe("size", () => {
  it.each([
    ["", 0, 0, 0],
    ["还款", 2, 6, 1],
    ["😀", 1, 4, 1],
    ["字".repeat(70), 70, 210, 1],
    ["字".repeat(71), 71, 213, 2],
    ["字".repeat(135), 135, 405, 3],
  ])("%#", (text, chars, bytes, parts) => expect(size(text)).toEqual({ chars, bytes, parts }));
});

it("a channel without words of its own says the common answer", () => {
  const t = topic({ answers: { sms: "短", wechat: " " } });
  expect([wording(t, "sms"), wording(t, "wechat"), wording(t, "web")]).toEqual(["短", "答", "答"]);
});

it("placeholders are told from words", () => {
  expect(marks("拨打{{hotline}}，{{ company }}。")).toEqual([
    { text: "拨打", mark: false },
    { text: "{{hotline}}", mark: true },
    { text: "，", mark: false },
    { text: "{{ company }}", mark: true },
    { text: "。", mark: false },
  ]);
});

it("filters are all to be met", () => {
  const line = (x: Partial<TopicLine>) => ({ id: "a", title: "提前还款", category: "还款", kind: "answer", owner: "客服部", review: "reviewed", problems: 0, changed: "", phrasings: 1, until: "", ...x }) as TopicLine;
  const all = [line({}), line({ id: "b", problems: 2, review: "draft" }), line({ id: "c", category: "账单", kind: "handoff", changed: "added" })];
  const ids = (f: object) => filterTopics(all, { text: "", category: "", kind: "", only: "", ...f }).map((x) => x.id);
  expect(ids({ text: "还款 客服" })).toEqual(["a", "b", "c"]);
  expect(ids({ text: "提前 B" })).toEqual(["b"]);
  expect(ids({ category: "账单" })).toEqual(["c"]);
  expect(ids({ kind: "answer", only: "problems" })).toEqual(["b"]);
  expect(ids({ only: "changed" })).toEqual(["c"]);
  expect(ids({ only: "unreviewed" })).toEqual(["b"]);
});

describe("two people at one Topic", () => {
  const base = topic({});
  it("an empty field and an absent one are the same", () => {
    expect(differ(base, { ...base, answers: { sms: "" }, file: "other.yaml" })).toEqual([]);
  });
  it("what only one changed is taken from both", () => {
    const got = merge(base, topic({ title: "还款方式" }), topic({ answer: "新答" }));
    expect(got.clash).toEqual([]);
    expect(got.topic).toMatchObject({ title: "还款方式", answer: "新答" });
  });
  it("what both changed is asked, unless they agree", () => {
    const got = merge(base, topic({ title: "甲", answer: "同" }), topic({ title: "乙", answer: "同" }));
    expect(got.clash).toEqual(["title"]);
    expect(got.topic.title).toBe("甲");
  });
  it("nothing of theirs is undone by what one did not touch", () => {
    expect(merge(base, base, topic({ phrasings: ["a", "b"] })).topic.phrasings).toEqual(["a", "b"]);
  });
});

it("a finding leads to its field", () => {
  expect([fieldOf("near_duplicate"), fieldOf("missing_sms"), fieldOf("promise")]).toEqual(["phrasings", "answers", "answer"]);
});

it("files are known by their names", () => {
  expect(["a.XLSX", "b.csv", "nlu.yml", "c.yaml", "d.pdf", "xlsx"].map(formatOf)).toEqual(["xlsx", "csv", "rasa", "rasa", undefined, "xlsx"]);
});

it("an id is small letters, digits and underscores", () => {
  expect(["repay_fee", "a1", "Repay", "1a", "a", "a-b", "还款"].map((s) => topicID.test(s))).toEqual([true, true, false, false, false, false, false]);
});

it("an outcome is in words, a Topic by its title", () => {
  const title = (id: string) => (id === "repay_fee" ? "手续费" : id);
  expect(["repay_fee", "handoff human", "clarify", "gone answer", ""].map((x) => outcome(x, title))).toEqual(["手续费", "转人工 · 要求人工", "请客户选择", "gone · 回答", ""]);
});

describe("said", () => {
  const of = (message: string, more = {}) => ({ file: "", line: 0, topic: "", rule: "form", warning: false, message, ...more });

  it("words what is wrong, without the Topic it stands beside", () => {
    expect([
      said(of('column 3, "备注", is not known and not read')),
      said(of("topic repay_date is there twice")),
      said(of('"坏 编号" is no id: 2 to 64 small letters, digits and _, beginning with a letter')),
      said(of('topic a: the answer promises "一定能"', { topic: "a" })),
      said(of('topic b: phrasing "几号" asks nearly the same as "哪天" at topics/a.yaml:7 (topic a)', { topic: "b" })),
      said(of("form pay: slot when: ask is missing")),
      said(of("what nobody has words for")),
    ]).toEqual([
      "第 3 列“备注”不认识，没有读取",
      "编号 repay_date 出现了两次",
      "编号“坏 编号”不合规定：2 到 64 个小写字母、数字和下划线，字母开头",
      "“一定能”像是承诺，请改写",
      "问法“几号”与 a 的“哪天”几乎一样（topics/a.yaml:7）",
      "表单 pay：栏目 when：缺少 ask",
      "",
    ]);
  });

  it("names a row of a sheet, or a line of a file", () => {
    expect([place(of("", { line: 4 })), place(of("", { file: "a.yaml", line: 7 })), place(of("", { file: "a.yaml" })), place(of(""))]).toEqual(["第 4 行", "a.yaml:7", "a.yaml", ""]);
  });
});

describe("entry", () => {
  it.each([
    ["一句话", "一句话"],
    [["甲", "乙"], "甲\n乙"],
    [{ sms: "短", wechat: "" }, "短"],
  ])("%j", (v, want) => expect(entry(v)).toBe(want));
});
