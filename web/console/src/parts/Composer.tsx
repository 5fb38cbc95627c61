import { Alert, Button, Input, Segmented } from "antd";
import type { TextAreaRef } from "antd/es/input/TextArea";
import { useEffect, useRef, useState } from "react";
import { useDesk } from "../desk";
import { say, t } from "../locale";
import { draftKey } from "../state";

const max = 2000;

export function Composer({ conv, note, setNote }: { conv: string; note: boolean; setNote: (on: boolean) => void }) {
  const desk = useDesk();
  const text = desk.state.drafts[draftKey(conv, note)] ?? "";
  const [error, setError] = useState("");
  const box = useRef<TextAreaRef>(null);
  useEffect(() => box.current?.focus(), [conv, note]);
  useEffect(() => setError(""), [note]);
  const over = [...text].length - max;

  const send = () => {
    if (!text.trim() || over > 0) return;
    setError("");
    desk.draft(conv, note, "");
    desk.send(conv, text, note).catch((err: unknown) => {
      // Refused for its wording: back into the box, to be written otherwise.
      desk.draft(conv, note, text);
      setError(say(err));
    });
  };

  return (
    <div className={"composer" + (note ? " noting" : "")}>
      <div className="row">
        <Segmented
          size="small"
          value={note ? "note" : "reply"}
          onChange={(v) => setNote(v === "note")}
          options={[
            { value: "reply", label: t.chat.reply },
            { value: "note", label: t.chat.note },
          ]}
        />
        {note && <span className="dim">{t.chat.noteHint}</span>}
      </div>
      {error && <Alert type="error" showIcon title={error} closable={{ onClose: () => setError("") }} />}
      <Input.TextArea
        ref={box}
        value={text}
        autoSize={{ minRows: 3, maxRows: 8 }}
        placeholder={note ? t.chat.noteHint : t.chat.replyHint}
        aria-label={note ? t.chat.note : t.chat.reply}
        status={over > 0 ? "error" : ""}
        onChange={(ev) => {
          desk.draft(conv, note, ev.target.value);
          if (!note && ev.target.value) desk.typing(conv);
        }}
        onKeyDown={(ev) => {
          // An input method's Enter picks a word; it must not send.
          if (ev.key === "Enter" && !ev.shiftKey && !ev.nativeEvent.isComposing && ev.keyCode !== 229) {
            ev.preventDefault();
            send();
          }
        }}
      />
      <div className="row">
        <span className={over > 0 ? "late" : "dim"}>{over > 0 ? t.chat.over(over) : `${[...text].length} / ${max}`}</span>
        <span className="spring" />
        <Button type="primary" disabled={!text.trim() || over > 0} onClick={send}>
          {note ? t.chat.saveNote : t.chat.send}
        </Button>
      </div>
    </div>
  );
}
