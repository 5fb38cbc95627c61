import { Progress, Tag } from "antd";
import { useState, type ReactNode } from "react";
import type { View } from "../api";
import { headline, type Evidence } from "../explain";
import { clock, reason, t, word } from "../locale";
import { useSession } from "../session";
import { EvidenceButton } from "./Evidence";
import { Revealed } from "./Reveal";

const Row = ({ k, children }: { k: string; children: ReactNode }) =>
  children ? (
    <div className="kv">
      <span className="k">{k}</span>
      <span className="v">{children}</span>
    </div>
  ) : null;

function Secret({ conv, field, masked }: { conv: string; field: string; masked: string }) {
  const [clear, setClear] = useState("");
  return (
    <>
      <span className="mono">{clear || masked}</span> <Revealed conv={conv} field={field} label={t.reveal.show} onValue={setClear} />
    </>
  );
}

/** Everything already known about the person and why it came to a human. */
export function Side({ view }: { view: View }) {
  const { groups } = useSession();
  const { contact, handoff: h, conversation: cv } = view;
  const why = view.messages.findLast((m) => m.evidence)?.evidence as Evidence | undefined;
  return (
    <aside className="side">
      <section>
        <h3>{t.side.contact}</h3>
        <Row k={t.side.channel}>
          {word(t.channel, cv.channel)} {contact.account !== cv.channel && <span className="dim">{contact.account}</span>}
        </Row>
        <Row k={t.side.id}>
          <Secret key={cv.id} conv={cv.id} field="contact" masked={contact.id} />
        </Row>
        {contact.name && (
          <Row k={t.side.name}>
            <Secret key={cv.id} conv={cv.id} field="name" masked={contact.name} />
          </Row>
        )}
        {contact.subject && (
          <Row k={t.side.subject}>
            <Secret key={cv.id} conv={cv.id} field="subject" masked={contact.subject} />
          </Row>
        )}
        <Row k={t.side.opened}>{clock(cv.opened_at)}</Row>
        {cv.score ? <Row k={t.side.score}>{t.chat.rating(cv.score)}</Row> : null}
      </section>
      <section>
        <h3>{t.side.handoff}</h3>
        {!h && <p className="dim">{t.side.none}</p>}
        {h && (
          <>
            <Row k={t.side.reason}>{reason(h.reason)}</Row>
            <Row k={t.side.signals}>
              {h.signals.length > 0 &&
                h.signals.map((s) => (
                  <Tag key={s} color="red" className="tag">
                    {word(t.signal, s)}
                  </Tag>
                ))}
            </Row>
            <Row k={t.side.intent}>{t.intent[h.intent] /* else it is the Topic below */}</Row>
            <Row k={t.side.topic}>{h.topic && (h.candidates.find((c) => c.topic === h.topic)?.title || h.topic)}</Row>
            <Row k={t.side.receipt}>{h.receipt && <span className="mono">{h.receipt}</span>}</Row>
            <Row k={t.side.group}>{groups.find((g) => g.id === h.group)?.name ?? h.group}</Row>
            <Row k={t.side.at}>{h.at && clock(h.at)}</Row>
          </>
        )}
      </section>
      {h?.summary && (
        <section>
          <h3>{t.side.summary}</h3>
          <p className="summary">{h.summary}</p>
        </section>
      )}
      {h?.form && (
        <section className="form">
          <h3>
            {t.side.form} <span className="dim">{h.form.title}</span>
          </h3>
          {h.form.slots.map((s) => (
            <div key={s.label} className="slot">
              <span className="dim">{s.label}</span>
              <span>{s.value || "–"}</span>
            </div>
          ))}
        </section>
      )}
      {why && (
        <section>
          <h3>{t.side.why}</h3>
          <p className="why">{headline(why)}</p>
          <EvidenceButton value={why as Record<string, unknown>} label={t.explain.detail} />
        </section>
      )}
      {h && h.candidates.length > 0 && (
        <section>
          <h3>{t.side.candidates}</h3>
          {h.candidates.map((c) => (
            <div key={c.topic} className="candidate">
              <span title={c.topic}>{c.title || c.topic}</span>
              <Progress percent={Math.round(c.confidence * 100)} size="small" strokeColor="#0f5ea8" />
            </div>
          ))}
        </section>
      )}
      {h && h.entities.length > 0 && (
        <section className="entities">
          <h3>{t.side.entities}</h3>
          {h.entities.map((e, i) => (
            <Row key={i} k={word(t.entity, e.kind)}>
              <span className="mono">{e.value}</span>
            </Row>
          ))}
        </section>
      )}
    </aside>
  );
}
