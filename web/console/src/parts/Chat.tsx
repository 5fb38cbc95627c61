import { Alert, Button, Popconfirm, Spin, Tag, Tooltip } from "antd";
import type { ReplyWindow } from "../api";
import { useDesk } from "../desk";
import { person, replyWindow, t, word } from "../locale";
import type { Dialog } from "../pages/Work";
import { useSession } from "../session";
import { Composer } from "./Composer";
import { CloseDialog, TransferDialog } from "./Dialogs";
import { Priority, useNow } from "./Left";
import { Timeline } from "./Timeline";

interface Props {
  conv: string;
  note: boolean;
  setNote: (on: boolean) => void;
  dialog: Dialog;
  setDialog: (d: Dialog) => void;
}

/** One conversation: its head with what can be done, its timeline, the box to write in. */
export function Chat({ conv, note, setNote, dialog, setDialog }: Props) {
  const desk = useDesk();
  const { groups } = useSession();
  const { state } = desk;
  const view = state.views[conv];
  const mine = conv in state.mine;
  const lost = conv in state.lost;

  if (!view)
    return (
      <section className="chat">
        <div className="hollow">{desk.failed[conv] ?? <Spin description={t.chat.loading} />}</div>
      </section>
    );
  const cv = view.conversation;
  const held = cv.state === "on_hold";
  return (
    <section className="chat">
      <div className="chat-head">
        <b>{person(view.contact, cv.channel)}</b>
        <Tag className="tag">{word(t.channel, cv.channel)}</Tag>
        <Tag className="tag" color={cv.state === "serving" ? "green" : held ? "gold" : "default"}>
          {t.state[cv.state]}
        </Tag>
        <Priority p={cv.priority} />
        {view.reply_window && <WindowTag w={view.reply_window} />}
        {cv.group && <span className="dim group">{groups.find((g) => g.id === cv.group)?.name ?? cv.group}</span>}
        <span className="spring" />
        {mine ? (
          <>
            <Button size="small" onClick={() => setDialog("transfer")}>
              {t.act.transfer}
            </Button>
            <Button size="small" onClick={() => void desk.act(conv, "hold", { on: !held })}>
              {held ? t.act.resume : t.act.hold}
            </Button>
            <Popconfirm
              title={t.act.releaseConfirm}
              placement="bottomRight"
              styles={{ root: { maxWidth: 320 } }}
              onConfirm={() => desk.act(conv, "release")}
            >
              <Button size="small">{t.act.release}</Button>
            </Popconfirm>
            <Button size="small" danger type="primary" onClick={() => setDialog("close")}>
              {t.act.close}
            </Button>
          </>
        ) : (
          cv.state === "waiting" && (
            <Button size="small" type="primary" onClick={() => void desk.claim(conv)}>
              {t.queue.take}
            </Button>
          )
        )}
      </div>
      {lost && (
        <Alert
          type="error"
          showIcon
          className="lost"
          title={t.mine.lost}
          description={t.mine.lostHint}
        />
      )}
      <Timeline view={view} />
      {mine ? (
        <Composer conv={conv} note={note} setNote={setNote} />
      ) : (
        !lost && <div className="readonly">{t.chat.readonly}</div>
      )}
      {dialog === "transfer" && <TransferDialog conv={conv} current={cv.group} onClose={() => setDialog("")} />}
      {dialog === "close" && <CloseDialog conv={conv} onClose={() => setDialog("")} />}
    </section>
  );
}

/** WindowTag tells whether the vendor still takes an answer. */
function WindowTag({ w }: { w: ReplyWindow }) {
  const { text, over } = replyWindow(w, useNow());
  return (
    <Tooltip title={t.chat.windowHint}>
      <Tag className="tag window" color={over ? "red" : "blue"}>
        {text}
      </Tag>
    </Tooltip>
  );
}
