import { describe, expect, it } from "vitest";
import { reason, replyWindow, t, word } from ".";

describe("replyWindow", () => {
  const now = new Date();
  const later = new Date(now.getTime() + 60_000).toISOString();
  const cases: [string, { left: number; until?: string }, boolean][] = [
    ["messages left", { left: 3, until: later }, false],
    ["none left", { left: 0, until: later }, true],
    ["past", { left: 3, until: new Date(now.getTime() - 1).toISOString() }, true],
    ["no window known", { left: 0 }, true],
  ];
  it.each(cases)("%s", (_, w, over) => {
    const got = replyWindow(w, now.getTime());
    expect(got.over).toBe(over);
    expect(got.text).toMatch(over ? /已超出微信回复窗口/ : /^剩余可回复 3 条 · 截止 .*\d\d:\d\d$/);
  });
});

describe("why a delivery failed", () => {
  it.each([
    "window_closed", "quota_used", "blocked", "rate_limited", "unauthorized", "bad_address", "too_long",
    "vendor_error", "timeout", "not_configured", "no_account", "interrupted", "unavailable",
  ])("%s is said in words", (code) => {
    expect(word(t.sendNote, code)).toMatch(/[\u4e00-\u9fff]/);
  });
});

it("a reason is in words, whatever it is about", () => {
  expect(["signal:media", "form:hardship", "feedback", "new_one"].map(reason)).toEqual(["媒体或网络曝光", "表单已登记，需要人工办理", "客户说回答没用", "new_one"]);
});
