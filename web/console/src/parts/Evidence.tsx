import { Button, Popover } from "antd";
import { t, word } from "../locale";

const percent = (n: unknown) => (typeof n === "number" ? (n * 100).toFixed(1) + "%" : "");

type Obj = Record<string, unknown>;

/** How one value of the evidence reads. Unknown ones are shown as they are. */
function show(key: string, v: unknown): string {
  if (v === null || v === undefined) return "";
  if (key === "margin" || key === "coverage") return percent(v);
  if (key === "because") return word(t.because, String(v));
  if (typeof v === "boolean") return v ? "✓" : "";
  if (key === "tokens" && Array.isArray(v)) return v.join(" / ");
  if (Array.isArray(v))
    return v
      .map((x) => {
        if (typeof x !== "object" || x === null) return String(x);
        const o = x as Obj;
        if ("topic" in o) return `${String(o["topic"])} ${percent(o["p"])}`;
        if ("rule" in o) return `${String(o["rule"])}（${String(o["text"] ?? o["phrase"] ?? "")}）`;
        if ("name" in o) return `${String(o["name"])} ${Number(o["weight"] ?? 0).toFixed(2)}`;
        return JSON.stringify(o);
      })
      .join("\n");
  if (typeof v === "object")
    return Object.entries(v as Obj)
      .map(([k, x]) => `${k} ${typeof x === "number" ? x.toFixed(2) : String(x)}`)
      .join("，");
  return String(v);
}

/** Why the bot said what it said. */
export function Evidence({ value }: { value: Record<string, unknown> }) {
  const order = Object.keys(t.evidence);
  const rank = (k: string) => (order.includes(k) ? order.indexOf(k) : order.length);
  const rows = Object.entries(value)
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([k, v]) => [k, show(k, v)] as const)
    .filter(([, v]) => v);
  if (!rows.length) return null;
  return (
    <Popover
      trigger="click"
      placement="leftTop"
      content={
        <table className="evidence">
          <tbody>
            {rows.map(([k, v]) => (
              <tr key={k}>
                <th>{word(t.evidence, k)}</th>
                <td>{v}</td>
              </tr>
            ))}
          </tbody>
        </table>
      }
    >
      <Button type="link" size="small" className="reveal">
        {t.chat.evidence}
      </Button>
    </Popover>
  );
}
