import { en } from "./en";
import { zhCN, type Text } from "./zh-CN";
import { zhTW } from "./zh-TW";

export type { Text };

/** Returns the copy for a BCP 47 tag, and the tag it is in. Chinese is the default. */
export function textFor(tag: string): [string, Text] {
  const t = tag.toLowerCase();
  if (/^zh-(tw|hk|mo|hant)/.test(t)) return ["zh-TW", zhTW];
  if (t === "en" || t.startsWith("en-")) return ["en", en];
  return ["zh-CN", zhCN];
}

export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
}
