import { App as AntApp, Button, Input, Modal, Space } from "antd";
import { useEffect, useState } from "react";
import { say, t } from "../locale";
import { useSession } from "../session";

const shownFor = 60_000; // ms

/** Revealed asks for one field in clear, for a reason, and hides it again. */
export function Revealed({ conv, field, label, onValue }: { conv: string; field: string; label: string; onValue: (v: string) => void }) {
  const { api } = useSession();
  const { message } = AntApp.useApp();
  const [asking, setAsking] = useState(false);
  const [shown, setShown] = useState(false);
  const [why, setWhy] = useState("");
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    if (!shown) return;
    const h = window.setTimeout(() => {
      onValue("");
      setShown(false);
    }, shownFor);
    return () => window.clearTimeout(h);
  }, [shown, onValue]);

  const ask = () => {
    if ([...why.trim()].length < 2) return void message.warning(t.reveal.need);
    setBusy(true);
    api
      .reveal(conv, field, why.trim())
      .then(
        (value) => {
          onValue(value);
          setShown(true);
          setAsking(false);
        },
        (err: unknown) => void message.error(say(err)),
      )
      .finally(() => setBusy(false));
  };
  if (shown) return <span className="doubt">{t.reveal.hide}</span>;
  return (
    <>
      <Button type="link" size="small" className="reveal" onClick={() => setAsking(true)}>
        {label}
      </Button>
      <Modal open={asking} title={t.reveal.title} okText={t.reveal.show} confirmLoading={busy} onOk={ask} onCancel={() => setAsking(false)} width={440}>
        <p className="dim">{t.reveal.hint}</p>
        <Space wrap className="presets">
          {t.reveal.presets.map((p) => (
            <Button key={p} size="small" onClick={() => setWhy(p)}>
              {p}
            </Button>
          ))}
        </Space>
        <Input value={why} maxLength={200} placeholder={t.reveal.reason} onChange={(ev) => setWhy(ev.target.value)} onPressEnter={ask} autoFocus />
      </Modal>
    </>
  );
}
