import { Alert } from "antd";
import { useCallback, useEffect, useState } from "react";
import { useDesk } from "../desk";
import { t } from "../locale";
import { Chat } from "../parts/Chat";
import { Left } from "../parts/Left";
import { Side } from "../parts/Side";

export type Dialog = "" | "transfer" | "close" | "release";

/** The workbench: what waits and what is mine, one conversation, all about it. */
export function Work() {
  const desk = useDesk();
  const { state } = desk;
  const [dialog, setDialog] = useState<Dialog>("");
  const [note, setNote] = useState(false);
  const view = state.views[state.active];
  const mine = state.active in state.mine;

  const keys = useCallback(
    (ev: KeyboardEvent) => {
      if (!ev.altKey || ev.ctrlKey || ev.metaKey) return;
      const at = state.order.indexOf(state.active);
      const step = (n: number) => {
        const next = state.order[(at + n + state.order.length) % Math.max(1, state.order.length)];
        if (next) desk.open(next);
      };
      // By the key's place, not its letter: Alt changes letters on some systems.
      const todo: Record<string, () => void> = {
        KeyN: () => void desk.claim(),
        KeyJ: () => step(1),
        KeyK: () => step(-1),
        KeyR: () => setNote(false),
        KeyP: () => setNote(true),
        ...(mine && {
          KeyT: () => setDialog("transfer"),
          KeyE: () => setDialog("close"),
          KeyH: () => void desk.act(state.active, "hold", { on: view?.conversation.state !== "on_hold" }),
        }),
      };
      const fn = todo[ev.code];
      if (!fn) return;
      ev.preventDefault();
      fn();
    },
    [desk, state.order, state.active, mine, view],
  );
  useEffect(() => {
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  }, [keys]);

  return (
    <div className="work-page">
      {desk.offline && <Alert banner type="error" title={t.live.offline} />}
      <div className="work">
        <Left />
        {state.active ? (
          <>
            <Chat key={state.active} conv={state.active} note={note} setNote={setNote} dialog={dialog} setDialog={setDialog} />
            {view ? <Side view={view} /> : <aside className="side" />}
          </>
        ) : (
          <div className="hollow">{t.chat.pick}</div>
        )}
      </div>
    </div>
  );
}
