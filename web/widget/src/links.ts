// Finds web addresses and 400 hotlines in a text. Only http, https and tel become
// links; all else, javascript: among it, stays text.

export type Part = { text: string; href?: string };

const address = /https?:\/\/[^\s<>"'`，。；！？、（）【】《》“”‘’]+|\b400-?\d{3}-?\d{4}\b/gi;

export function links(text: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const m of text.matchAll(address)) {
    // What ends a sentence does not belong to the address.
    const shown = m[0].replace(/[.,;:!?)\]}]+$/, "");
    let href: string;
    if (/^4/.test(shown)) {
      href = "tel:" + shown.replace(/-/g, "");
    } else try {
      const u = new URL(shown);
      if ((u.protocol !== "http:" && u.protocol !== "https:") || u.username || u.password) continue;
      href = u.href;
    } catch {
      continue;
    }
    if (m.index > at) parts.push({ text: text.slice(at, m.index) });
    parts.push({ text: shown, href });
    at = m.index + shown.length;
  }
  if (at < text.length) parts.push({ text: text.slice(at) });
  return parts;
}
