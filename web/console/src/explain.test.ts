import { describe, expect, it } from "vitest";
import { contextTitle, feature, headline, highlight, hits, parts, remarks, titleOf, unseen, type Evidence } from "./explain";

const base: Evidence = {
  norm: "提前还款要手续费吗",
  because: "ranker",
  thresholds: { high: 0.71, low: 0.31 },
  nearest: "提前还款要手续费吗",
  top: [
    { topic: "fee", title: "提前还款的费用", p: 0.93, model: 0.97, cosine: 0.88 },
    { topic: "how", title: "怎样提前还款", p: 0.2, model: 0.02, cosine: 0.5 },
  ],
};
const with_ = (e: Partial<Evidence>): Evidence => ({ ...base, ...e });
const first = (p: number): Evidence["top"] => [{ ...base.top![0]!, p }, base.top![1]!];

describe("headline", () => {
  const cases: [string, Evidence, string][] = [
    ["a sure answer names the phrasing and the line", base, "与问法「提前还款要手续费吗」最接近，把握 93%，高于直接回答线 71%，直接回答「提前还款的费用」"],
    ["an exact one needs no number", with_({ exact: true, because: "exact" }), "与问法「提前还款要手续费吗」一致，直接回答「提前还款的费用」"],
    ["an answer under the line does not claim to be over it", with_({ top: first(0.6) }), "把握 60%（直接回答线 71%）"],
    ["a likely answer is under the line", with_({ because: "likely", top: first(0.6) }), "把握 60%（直接回答线 71%）"],
    ["a question names the line it missed", with_({ because: "between", top: first(0.5) }), "把握 50%，没到直接回答线 71%，请客户选择"],
    ["two sure ones are too close", with_({ because: "between" }), "「提前还款的费用」93% 与「怎样提前还款」20% 太接近"],
    ["below the lower line nothing was said", with_({ because: "unsure", top: first(0.2) }), "低于请客户选择的线 31%，没有作答"],
    ["over it, but without support", with_({ because: "unsure", top: first(0.5) }), "但依据不足，没有作答"],
    ["the same after a miss", with_({ because: "below_low", top: first(0.2) }), "低于请客户选择的线 31%"],
    ["small talk, by the name of its intent", { norm: "天气", because: "chitchat", rules: [{ rule: "chitchat", text: "今天天气" }] }, "闲聊，依据原话「今天天气」"],
    ["not a word known", { because: "nothing_known" }, "没有一个知识点与这句话沾边"],
    ["nothing known at all", { norm: "abc", because: "unsure" }, "没有一个知识点与这句话沾边"],
    ["a denial", with_({ because: "negated" }), "话里带否定，请客户确认是不是要问「提前还款的费用」"],
    ["a signal quotes the words", { because: "signal", rules: [{ rule: "human" }, { rule: "regulator", phrase: "12378", text: "12378" }] }, "命中信号「提及监管或投诉热线」（原话「12378」）"],
    ["a built-in quotes the words", { because: "human", rules: [{ rule: "human", phrase: "转人工", text: "转人工" }] }, "要求人工，依据原话「转人工」"],
    ["two requests are both named", { because: "two_intents", parts: [{ text: "a", topic: "fee", title: "费用", p: 0.9, first: true }, { text: "b", topic: "how", p: 0.8 }] }, "「费用」和「how」，先答「费用」"],
    ["a form says what the message did", { because: "form", form: { id: "hardship", did: "filled" } }, "正在填写表单：记下了回答"],
    ["what has no rule is named", { because: "media" }, "图片或语音"],
    ["an unknown step is shown as it is", { because: "new_step" }, "new_step"],
    ["an old record without the scores", { because: "ranker" }, "语义匹配"],
  ];
  it.each(cases)("%s", (_, ev, want) => expect(headline(ev)).toContain(want));
});

it("a built-in among the Topics is called by its name", () => {
  expect(titleOf({ topic: "builtin:chitchat", p: 0.4 })).toBe("闲聊");
});

describe("remarks", () => {
  it("say what weakens the answer", () => {
    const got = remarks(with_({ coverage: 0.4, margin: 0.73, negated: true, context: "how" }));
    expect(got).toEqual(["接着上文「怎样提前还款」理解", "话里带否定", "知识库只认得这句话的 40%，其余没见过", "分类上比第二名「怎样提前还款」领先 0.73"]);
  });
  it("name what was read by its sound", () => {
    expect(remarks({ norm: "怎么提额", heard: [{ from: "题额", to: "提额" }] })).toEqual(["原文「题额」按读音理解为「提额」"]);
  });
  it("a denial is not said twice, an exact match leads by definition", () => {
    expect(remarks(with_({ because: "negated", negated: true, exact: true, margin: 1 }))).toEqual([]);
  });
  it("an unknown earlier Topic keeps its id", () => expect(contextTitle(with_({ context: "gone" }))).toBe("gone"));
});

describe("highlight", () => {
  it("gives more colour to more weight, and loses no character", () => {
    const got = highlight("我要提前还款", [
      { name: "w:提前", weight: 3 },
      { name: "c:还", weight: 0.5 },
      { name: "c:要", weight: -2 },
    ]);
    expect(got).toEqual([
      { text: "我要", level: 0 },
      { text: "提前", level: 3 },
      { text: "还", level: 1 },
      { text: "款", level: 0 },
    ]);
  });
  it("counts every place, and characters beyond the basic plane as one", () => {
    expect(highlight("😀还😀还", [{ name: "c:还", weight: 1 }])).toEqual([
      { text: "😀", level: 0 },
      { text: "还", level: 3 },
      { text: "😀", level: 0 },
      { text: "还", level: 3 },
    ]);
  });
  it("without features it is the text", () => expect(highlight("还款", undefined)).toEqual([{ text: "还款", level: 0 }]));
  it("what is not written but heard is told apart", () => {
    const ev: Evidence = { norm: "提钱还款", features: [{ name: "c:还款", weight: 1 }, { name: "y:tiqian", weight: 2 }] };
    expect(unseen(ev).map((f) => f.name)).toEqual(["y:tiqian"]);
  });
});

it("a feature's marks of word ends are not shown", () => {
  expect(feature({ name: "l:^app$", weight: 1 })).toEqual({ kind: "字母", text: "app", weight: 1 });
  expect(feature({ name: "p:app_down", weight: 1 }).text).toBe("app down");
});

it("parts of a score are all numbers but p, known ones first", () => {
  expect(parts({ topic: "a", title: "甲", p: 0.9, later: 0.1, cosine: 0.5, model: 0.7 })).toEqual([
    { name: "分类", value: 0.7 },
    { name: "最近问法", value: 0.5 },
    { name: "later", value: 0.1 },
  ]);
});

it("a rule found twice is told once", () => {
  expect(hits({ rules: [{ rule: "human", text: "人工" }, { rule: "human", text: "转人工" }] })).toHaveLength(1);
});
