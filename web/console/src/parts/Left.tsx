import { Badge, Button, Empty, Tag } from "antd";
import { useEffect, useState } from "react";
import { useDesk } from "../desk";
import { person, reason, t, word } from "../locale";
import { useSession } from "../session";

/** useNow ticks once a second, for waiting times. */
export function useNow(): number {
  const [now, set] = useState(Date.now);
  useEffect(() => {
    const h = window.setInterval(() => set(Date.now()), 1000);
    return () => window.clearInterval(h);
  }, []);
  return now;
}

const colour: Record<string, string> = { P0: "red", P1: "orange", P2: "blue" };

export const Priority = ({ p }: { p: string }) =>
  p ? (
    <Tag color={colour[p] ?? "default"} variant={p === "P0" ? "solid" : "filled"} className="tag">
      {word(t.priority, p)}
    </Tag>
  ) : null;

export function Left() {
  const desk = useDesk();
  const { groups } = useSession();
  const { state } = desk;
  const now = useNow();
  const [busy, setBusy] = useState(false);
  const group = (id: string) => groups.find((g) => g.id === id)?.name ?? id;
  const claim = (conv?: string) => {
    setBusy(true);
    void desk.claim(conv).finally(() => setBusy(false));
  };
  return (
    <aside className="left">
      <section className="pane queue-pane">
        <h2>
          {t.queue.title} <Badge count={state.queue.length} showZero color={state.queue.length ? "#d4380d" : "#bfbfbf"} />
          <Button type="primary" size="small" className="take-next" disabled={!state.queue.length} loading={busy} onClick={() => claim()}>
            {t.queue.next}
          </Button>
        </h2>
        <div className="cards" role="list">
          {state.queue.map((q) => {
            const waited = q.waited_s + Math.max(0, Math.floor((now - state.queueAt) / 1000));
            return (
              <div
                key={q.conv}
                role="listitem"
                className={"card p-" + q.priority + (q.conv === state.active ? " on" : "")}
                onClick={() => desk.open(q.conv)}
              >
                <div className="row">
                  <Priority p={q.priority} />
                  <span className="what">{reason(q.reason)}</span>
                  <span className={"waited" + (waited > 180 ? " late" : "")}>{t.ago(waited)}</span>
                </div>
                <div className="preview">{q.preview}</div>
                <div className="row dim">
                  <span>{word(t.channel, q.channel)}</span>
                  <span>{group(q.group)}</span>
                  <span className="spring" />
                  <Button
                    size="small"
                    onClick={(ev) => {
                      ev.stopPropagation();
                      claim(q.conv);
                    }}
                  >
                    {t.queue.take}
                  </Button>
                </div>
              </div>
            );
          })}
          {!state.queue.length && <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t.queue.empty} />}
        </div>
      </section>
      <section className="pane mine-pane">
        <h2>
          {t.mine.title} <Badge count={state.order.length} color="#0f5ea8" />
        </h2>
        <div className="cards" role="list">
          {state.order.map((conv) => {
            const m = state.mine[conv]!;
            const v = state.views[conv];
            const words = v?.messages.findLast((x) => !x.hidden && x.text);
            const typing = (state.typing[conv] ?? 0) > now;
            return (
              <div key={conv} role="listitem" className={"card" + (conv === state.active ? " on" : "")} onClick={() => desk.open(conv)}>
                <div className="row">
                  <Badge count={m.unread} size="small" />
                  <span className="what">{person(v?.contact, v?.conversation.channel ?? m.lease.channel ?? "")}</span>
                  <span className="dim">{word(t.channel, v?.conversation.channel ?? "")}</span>
                  {v?.conversation.state === "on_hold" && <Tag className="tag">{t.state.on_hold}</Tag>}
                  <Priority p={v?.conversation.priority || m.lease.priority || ""} />
                </div>
                <div className={"preview" + (m.unread ? " fresh" : "")}>
                  {typing ? <i>{t.chat.typing}</i> : (words?.text ?? m.lease.preview)}
                </div>
              </div>
            );
          })}
          {!state.order.length && <p className="nothing">{t.mine.empty}</p>}
        </div>
      </section>
    </aside>
  );
}
