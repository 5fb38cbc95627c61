import { Button, Input, Segmented, Tag } from "antd";
import { useEffect, useRef, useState } from "react";
import { t, word } from "../locale";
import { k } from "../locale/kb";
import { Explanation } from "../parts/Evidence";
import { type Decision } from "./api";
import { sayKb, useKb } from "./context";
import { TopicLink } from "./parts";

interface Turn {
  text: string;
  decision?: Decision;
  error?: string;
}

/** One asks as a contact would; beside each answer stands why it came. */
export function Try() {
  const { kb, route } = useKb();
  const [channel, setChannel] = useState("web");
  const [turns, setTurns] = useState<Turn[]>([]);
  const [memory, setMemory] = useState<unknown>(null);
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [picked, setPicked] = useState(-1);
  const end = useRef<HTMLDivElement>(null);
  // What is asked before a reset, or of another channel, is not answered into the new talk.
  const talk = useRef(0);
  const w = k.try;
  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" });
  }, [turns]);

  const reset = (c = channel) => {
    talk.current++;
    setChannel(c);
    setTurns([]);
    setMemory(null);
    setPicked(-1);
    setBusy(false);
  };
  const ask = async (words: string, pick = "") => {
    const said = words.trim();
    if (!said || busy) return;
    const mine = talk.current;
    const at = turns.length;
    setText("");
    setBusy(true);
    setTurns((old) => [...old, { text: said }]);
    const put = (x: Partial<Turn>) => setTurns((old) => old.map((o, i) => (i === at ? { ...o, ...x } : o)));
    try {
      const r = await kb.try(said, channel, route.v, memory, pick);
      if (mine !== talk.current) return;
      put({ decision: r.decision });
      setMemory(r.memory);
      setPicked(at);
    } catch (err) {
      if (mine !== talk.current) return;
      put({ error: sayKb(err) });
    }
    setBusy(false);
  };
  const shown = turns[picked]?.decision;

  return (
    <div className="kb-page try">
      <section className="try-talk">
        <div className="filters">
          <Segmented aria-label={w.channel} value={channel} onChange={(c) => reset(c)} options={["web", "wechat", "sms"].map((c) => ({ value: c, label: word(t.channel, c) }))} />
          <span className="spring" />
          <Button onClick={() => reset()} disabled={!turns.length}>
            {w.reset}
          </Button>
        </div>
        <div className="try-lines" aria-live="polite">
          {!turns.length && <div className="hollow">{w.empty}</div>}
          {turns.map((x, i) => (
            <div key={i} className="turn">
              <div className="line us agent"><div className="bubble words">{x.text}</div></div>
              {x.error && <div className="late">{x.error}</div>}
              {x.decision && (
                <button type="button" className={"line them answer" + (i === picked ? " on" : "")} onClick={() => setPicked(i)} aria-pressed={i === picked}>
                  <span className="by">
                    <Tag className="tag">{word(k.action, x.decision.action)}</Tag> {x.decision.evidence.top?.find((s) => s.topic === x.decision!.topic)?.title ?? ""}
                  </span>
                  <span className="bubble words">
                    {x.decision.reply || w.silent}
                    {x.decision.notice && <span className="dim"> {w.notice}</span>}
                    {x.decision.then && "\n" + x.decision.then}
                  </span>
                </button>
              )}
              {i === turns.length - 1 && (x.decision?.options ?? []).length > 0 && (
                <div className="tags">
                  {x.decision!.options!.map((o) => (
                    <Button key={o.id} size="small" shape="round" disabled={busy} onClick={() => void ask(o.label, o.id)}>
                      {o.label}
                    </Button>
                  ))}
                </div>
              )}
            </div>
          ))}
          <div ref={end} />
        </div>
        <div className="row-line">
          <Input
            className="grow try-input"
            aria-label={w.hint}
            placeholder={w.hint}
            value={text}
            maxLength={2000}
            onChange={(ev) => setText(ev.target.value)}
            onPressEnter={(ev) => !ev.nativeEvent.isComposing && void ask(text)}
          />
          <Button type="primary" loading={busy} disabled={!text.trim()} onClick={() => void ask(text)}>
            {w.send}
          </Button>
        </div>
      </section>
      <aside className="try-why">
        <h3>
          {w.why} <span className="spring" />
          {shown?.topic && <TopicLink id={shown.topic} title={w.edit} />}
        </h3>
        {shown ? <Explanation key={picked} ev={shown.evidence} raw={shown} /> : <p className="dim">{w.pick}</p>}
      </aside>
    </div>
  );
}
