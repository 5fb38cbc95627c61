import { expect, test } from "vitest";
import { links } from "../src/links";
import { fill, textFor } from "../src/locales";
import { en } from "../src/locales/en";
import { zhCN } from "../src/locales/zh-CN";
import { zhTW } from "../src/locales/zh-TW";

test("only web addresses become links, without the sentence's end", () => {
  expect(links("请看 https://a.example/x?y=1。谢谢")).toEqual([
    { text: "请看 " },
    { text: "https://a.example/x?y=1", href: "https://a.example/x?y=1" },
    { text: "。谢谢" },
  ]);
  expect(links("急事请拨打400-000-0000。")[1]).toEqual({ text: "400-000-0000", href: "tel:4000000000" });
  for (const no of ["受理编号14000000000", "400-000-00001", "合同400"]) expect(links(no)).toEqual([{ text: no }]);
  expect(links("(http://a.example/).")[1]).toEqual({ text: "http://a.example/", href: "http://a.example/" });
  for (const bad of ["javascript:alert(1)", "data:text/html,x", "https://user:pw@a.example/", "<b>x</b>", "http://"]) {
    expect(links(bad).every((p) => p.href === undefined)).toBe(true);
    expect(links(bad).map((p) => p.text).join("")).toBe(bad);
  }
});

test("every language has every sentence and the same placeholders", () => {
  const shape = (v: unknown): unknown =>
    typeof v === "string"
      ? (v.match(/\{\w+\}/g) ?? []).sort()
      : Array.isArray(v)
        ? v.length
        : Object.fromEntries(Object.entries(v as object).map(([k, x]) => [k, shape(x)]));
  expect(shape(zhTW)).toEqual(shape(zhCN));
  expect(shape(en)).toEqual(shape(zhCN));
  expect(textFor("zh-Hant-HK")[0]).toBe("zh-TW");
  expect(textFor("fr")[0]).toBe("zh-CN");
  expect(fill("{a} {b}", { a: 1 })).toBe("1 {b}");
});
