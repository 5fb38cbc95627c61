import { Button, Popover } from "antd";
import { useState } from "react";
import { feature, headline, highlight, hits, parts, percent, remarks, ruleName, titleOf, unseen, type Evidence, type Scored } from "../explain";
import { t } from "../locale";

/** copyText works where there is no clipboard API, too: plain HTTP inside a company. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const box = document.createElement("textarea");
  box.value = text;
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

/** Raw shows an object as JSON, when asked, and copies it. */
export function Raw({ value }: { value: unknown }) {
  const [open, setOpen] = useState(false);
  const [copied, setCopied] = useState(false);
  const text = open ? JSON.stringify(value, null, 2) : "";
  return (
    <div className="raw">
      <Button type="link" size="small" className="reveal" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? t.explain.hideRaw : t.explain.raw}
      </Button>
      {open && (
        <>
          <Button size="small" onClick={() => void copyText(text).then(() => setCopied(true))}>
            {copied ? t.explain.copied : t.explain.copy}
          </Button>
          <pre tabIndex={0}>{text}</pre>
        </>
      )}
    </div>
  );
}

/** The text with what spoke for the first Topic; more weight, more colour. */
function Heard({ ev }: { ev: Evidence }) {
  const pieces = highlight(ev.norm ?? "", ev.features);
  const sounds = unseen(ev);
  return (
    <>
      <p className="heard">
        {pieces.map((p, i) => (p.level ? <mark key={i} className={"m" + p.level}>{p.text}</mark> : <span key={i}>{p.text}</span>))}
      </p>
      {ev.features && ev.features.length > 0 && (
        <div className="features">
          {ev.features.map((f) => {
            const { kind, text, weight } = feature(f);
            return (
              <span key={f.name} className={sounds.includes(f) ? "off" : ""}>
                <small>{kind}</small> {text} <b>{weight.toFixed(2)}</b>
              </span>
            );
          })}
        </div>
      )}
    </>
  );
}

// The parts that say most; a pointer held over them shows all.
const partsShown = 5;
const words = (list: ReturnType<typeof parts>) => list.map((p) => `${p.name} ${p.value.toFixed(2)}`).join(" · ");

function Bar({ s, ev }: { s: Scored; ev: Evidence }) {
  const all = parts(s);
  const { high, low } = ev.thresholds ?? {};
  return (
    <div className="scored">
      <div className="row">
        <span className="name" title={s.topic}>{titleOf(s)}</span>
        <b>{percent(s.p)}</b>
      </div>
      <div className="track" role="img" aria-label={`${titleOf(s)} ${percent(s.p)}`}>
        <i style={{ width: percent(Math.min(1, Math.max(0, s.p)), 1) }} className={high !== undefined && s.p >= high ? "sure" : low !== undefined && s.p >= low ? "maybe" : ""} />
        {low !== undefined && <u style={{ left: percent(low, 1) }} />}
        {high !== undefined && <u style={{ left: percent(high, 1) }} />}
      </div>
      <div className="dim" title={words(all)}>{words(all.slice(0, partsShown))}</div>
    </div>
  );
}

/** Explanation is the whole of why the bot decided so. */
export function Explanation({ ev, raw }: { ev: Evidence; raw?: unknown }) {
  const w = t.explain;
  const line = headline(ev);
  const rules = hits(ev);
  const top = (ev.top ?? []).slice(0, 5);
  const more = remarks(ev);
  return (
    <div className="evidence">
      <p className="headline">{line || w.none}</p>
      {more.length > 0 && <p className="dim">{more.join("；")}</p>}
      {rules.length > 0 && (
        <section>
          <h4>{w.rules}</h4>
          {rules.map((r) => (
            <p key={r.rule}>
              {ruleName(r.rule)} {(r.text || r.phrase) && <span className="dim">「{r.text || r.phrase}」</span>}
            </p>
          ))}
        </section>
      )}
      {ev.norm && (
        <section>
          <h4>{ev.features?.length ? w.words : w.heard}</h4>
          <Heard ev={ev} />
        </section>
      )}
      {top.length > 0 && (
        <section>
          <h4>
            {w.top}
            {ev.thresholds && <span className="dim">{w.lines(percent(ev.thresholds.low), percent(ev.thresholds.high))}</span>}
          </h4>
          {top.map((s) => (
            <Bar key={s.topic} s={s} ev={ev} />
          ))}
        </section>
      )}
      {ev.nearest && (
        <section>
          <h4>{w.nearest}</h4>
          <p>{ev.nearest}</p>
        </section>
      )}
      {ev.knowledge && (
        <p className="dim">
          {w.knowledge} <span className="mono">{ev.knowledge.slice(0, 12)}</span>
        </p>
      )}
      <Raw value={raw ?? ev} />
    </div>
  );
}

/** EvidenceButton opens the explanation beside what it explains. */
export function EvidenceButton({ value, label = t.chat.evidence }: { value: Record<string, unknown>; label?: string }) {
  const ev = value as Evidence;
  const line = headline(ev);
  if (!line && !ev.top?.length) return null;
  return (
    <Popover trigger="click" placement="leftTop" content={<div className="evidence-box"><Explanation ev={ev} /></div>}>
      <Button type="link" size="small" className="reveal">
        {label}
      </Button>
    </Popover>
  );
}
