import { Button, Popover } from "antd";
import { t, word } from "../locale";

const percent = (n: unknown) => (typeof n === "number" ? (n * 100).toFixed(1) + "%" : "");

type Obj = Record<string, unknown>;

const rule = (id: string) => t.signal[id] ?? t.intent[id] ?? t.because[id] ?? id;

/** A feature's name says its kind before a colon: a character n-gram or a word. */
const feature = (o: Obj) => {
  const [kind = "", ...rest] = String(o["name"]).split(":");
  return `${kind in t.feature ? `${t.feature[kind]}“${rest.join(":")}”` : String(o["name"])} ${Number(o["weight"] ?? 0).toFixed(2)}`;
};

/** How one value of the evidence reads. Unknown ones are shown as they are. */
function show(key: string, v: unknown): string {
  if (v === null || v === undefined) return "";
  if (key === "thresholds" && typeof v === "object")
    return Object.entries(v as Obj)
      .map(([k, x]) => `${word(t.threshold, k)} ≥ ${percent(x)}`)
      .join("，");
  if (key === "margin" || key === "coverage") return percent(v);
  if (key === "because") return word(t.because, String(v));
  if (typeof v === "boolean") return v ? "✓" : "";
  if (key === "tokens" && Array.isArray(v)) return v.join(" / ");
  if (Array.isArray(v))
    return v
      .map((x) => {
        if (typeof x !== "object" || x === null) return String(x);
        const o = x as Obj;
        if ("topic" in o) return `${String(o["title"] ?? o["topic"])} ${percent(o["p"])}`;
        if ("rule" in o) return `${rule(String(o["rule"]))}（${String(o["text"] ?? o["phrase"] ?? "")}）`;
        if ("name" in o) return feature(o);
        return JSON.stringify(o);
      })
      .join(key === "features" ? "，" : "\n");
  if (typeof v === "object")
    return Object.entries(v as Obj)
      .map(([k, x]) => `${k} ${typeof x === "number" ? x.toFixed(2) : String(x)}`)
      .join("，");
  return String(v);
}

/** Why the bot said what it said. */
export function Evidence({ value }: { value: Record<string, unknown> }) {
  // A follow-up's earlier Topic is named among the best ones, if anywhere.
  const named = (Array.isArray(value["top"]) ? (value["top"] as Obj[]) : []).find((x) => x["topic"] === value["context"])?.["title"];
  const order = Object.keys(t.evidence);
  const rank = (k: string) => (order.includes(k) ? order.indexOf(k) : order.length);
  const rows = Object.entries(value)
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([k, v]) => [k, show(k, k === "context" ? (named ?? v) : v)] as const)
    .filter(([, v]) => v);
  if (!rows.length) return null;
  return (
    <Popover
      trigger="click"
      placement="leftTop"
      content={
        <div className="evidence-box"><table className="evidence">
          <tbody>
            {rows.map(([k, v]) => (
              <tr key={k}>
                <th>{word(t.evidence, k)}</th>
                <td>{v}</td>
              </tr>
            ))}
          </tbody>
        </table></div>
      }
    >
      <Button type="link" size="small" className="reveal">
        {t.chat.evidence}
      </Button>
    </Popover>
  );
}
