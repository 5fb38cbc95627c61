import { Button, Tag, Tooltip } from "antd";
import { useLayoutEffect, useRef, useState } from "react";
import { Problem, type Message, type View } from "../api";
import { useDesk } from "../desk";
import { clock, reason, say, t, word } from "../locale";
import { useSession } from "../session";
import type { Outgoing } from "../state";
import { EvidenceButton } from "./Evidence";
import { useNow } from "./Left";
import { Media } from "./Media";
import { Revealed } from "./Reveal";

/** The whole exchange as one line of time: words, transitions, notes. */
export function Timeline({ view }: { view: View }) {
  const desk = useDesk();
  const conv = view.conversation.id;
  const out = desk.state.outgoing[conv] ?? [];
  const typing = (desk.state.typing[conv] ?? 0) > useNow();
  const box = useRef<HTMLDivElement>(null);
  const stuck = useRef(true);
  const sent = useRef(0);
  const shown = useRef(0);
  const [below, setBelow] = useState(false);
  const count = view.messages.length + out.length;

  // Stay at the end unless the agent has scrolled up to read.
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    // What one has just sent oneself is always shown.
    if (out.length > sent.current) stuck.current = true;
    sent.current = out.length;
    if (stuck.current) el.scrollTop = el.scrollHeight;
    else if (count > shown.current) setBelow(true);
    shown.current = count;
  }, [view, count, out.length, typing]); // a view may grow without a new line: a mark, an alarm

  return (
    <div className="timeline-frame">
      <div
        className="timeline"
        ref={box}
        onLoadCapture={(ev) => {
          if (stuck.current) ev.currentTarget.scrollTop = ev.currentTarget.scrollHeight; // a picture made it longer
        }}
        onScroll={(ev) => {
          const el = ev.currentTarget;
          stuck.current = el.scrollHeight - el.scrollTop - el.clientHeight < 60;
          if (stuck.current) setBelow(false);
        }}
      >
        {view.messages.map((m) => (
          <Line key={m.id} m={m} view={view} />
        ))}
        {out.map((o) => (
          <Pending key={o.cid} conv={conv} o={o} />
        ))}
        {typing && <div className="typing">{t.chat.typing}</div>}
      </div>
      {below && (
        <Button
          className="below"
          size="small"
          shape="round"
          type="primary"
          onClick={() => box.current?.scrollTo({ top: box.current.scrollHeight, behavior: "smooth" })}
        >
          {t.chat.newBelow}
        </Button>
      )}
    </div>
  );
}

function Line({ m, view }: { m: Message; view: View }) {
  if (m.kind === "event") return <EventLine m={m} />;
  if (m.kind === "rating")
    return (
      <div className="event">
        <span>
          {t.chat.rating(m.score ?? 0)}
          {m.text && `：${m.text}`} · {clock(m.at)}
        </span>
      </div>
    );
  return <Bubble m={m} view={view} />;
}

function EventLine({ m }: { m: Message }) {
  const desk = useDesk();
  const { groups } = useSession();
  const key = m.event_key ?? "";
  const more = (() => {
    switch (m.event) {
      case "handoff":
        return reason(key);
      case "signal":
        return word(t.signal, key);
      case "transfer":
        return groups.find((g) => g.id === key)?.name ?? desk.agentName(key);
      case "claim":
      case "release":
      case "lost":
      case "hold":
      case "resume":
        return desk.agentName(key);
      case "close": {
        const [who = "", ...why] = key.split(" ");
        return [word(t.closer, who) === who ? desk.agentName(who) : word(t.closer, who), ...why].join(" ");
      }
      default:
        return key;
    }
  })();
  return (
    <div className={"event" + (m.event === "signal" ? " alarm" : "")}>
      <span>
        {word(t.event, m.event ?? "")}
        {more && ` · ${more}`} · {clock(m.at)}
      </span>
    </div>
  );
}

function Bubble({ m, view }: { m: Message; view: View }) {
  const { me } = useSession();
  const [clear, setClear] = useState("");
  const note = m.kind === "note";
  const side = note ? "note" : m.from.role === "contact" ? "them" : "us";
  const who =
    m.from.role === "contact"
      ? m.from.name || t.chat.contact
      : m.from.role === "bot"
        ? t.chat.bot
        : m.from.role === "system"
          ? t.chat.system
          : m.agent === me.user.id
            ? t.chat.me
            : m.from.name || m.agent;
  const read = m.from.role !== "contact" && !note && m.seq !== undefined && m.seq <= view.conversation.read_seq;
  return (
    <div className={`line ${side} ${m.from.role}`}>
      <div className="by">
        {note && <Tag color="gold" className="tag">{t.chat.note}</Tag>}
        {who} · {clock(m.at)}
      </div>
      <div className="bubble">
        {m.kind === "pick" && <span className="dim">{t.chat.picked} </span>}
        {m.media && m.kind !== "location" && <Media m={m} conv={view.conversation.id} />}
        {(!m.media || m.kind === "location") && !m.text && m.kind !== "text" && <div className="media">[{word(t.chat.media, m.kind)}]</div>}
        <span className="words">{clear || m.text}</span>
        {m.options && m.options.length > 0 && (
          <div className="options">
            {m.options.map((o) => (
              <span key={o.id}>{o.label}</span>
            ))}
          </div>
        )}
      </div>
      <div className="foot">
        {m.masked && view.conversation.id && (
          <Revealed conv={view.conversation.id} field={"message:" + m.id} label={t.chat.reveal} onValue={setClear} />
        )}
        {m.evidence && <EvidenceButton value={m.evidence} />}
        {m.delivery && <DeliveryMark m={m} read={read} />}
      </div>
    </div>
  );
}

function DeliveryMark({ m, read }: { m: Message; read: boolean }) {
  const d = m.delivery!;
  if (d === "sent") return <span className="dim">{read ? t.chat.read : t.delivery.sent}</span>;
  const why = m.delivery_note ? word(t.sendNote, m.delivery_note) : "";
  if (d === "pending") return <span className="dim">{t.delivery.pending}</span>;
  return (
    <Tooltip title={d === "unknown" ? t.delivery.unknownHint : why}>
      <span className={d === "failed" ? "late" : "doubt"}>
        {t.delivery[d]}
        {why && `（${why}）`}
      </span>
    </Tooltip>
  );
}

function Pending({ conv, o }: { conv: string; o: Outgoing }) {
  const desk = useDesk();
  const failed = o.status === "failed";
  return (
    <div className={"line pending " + (o.note ? "note" : "us agent")}>
      <div className="by">
        {t.chat.me} · {clock(new Date(o.at).toISOString())}
      </div>
      <div className="bubble">
        <span className="words">{o.text}</span>
      </div>
      <div className="foot">
        {failed ? (
          <>
            <span className="late">
              {t.chat.unsent}（{say(new Problem(o.code === "network" ? 0 : 400, o.code ?? ""))}）
            </span>
            <Button type="link" size="small" onClick={() => void desk.send(conv, o.text, o.note, o).catch(() => {})}>
              {t.chat.resend}
            </Button>
            <Button
              type="link"
              size="small"
              onClick={() => {
                desk.draft(conv, o.note, o.text);
                desk.discard(conv, o.cid);
              }}
            >
              {t.chat.edit}
            </Button>
            <Button type="link" size="small" danger onClick={() => desk.discard(conv, o.cid)}>
              {t.chat.discard}
            </Button>
          </>
        ) : (
          <span className="dim">{t.chat.sending}</span>
        )}
      </div>
    </div>
  );
}
