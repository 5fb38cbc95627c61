import { BellOutlined, DownOutlined } from "@ant-design/icons";
import { App as AntApp, Button, Dropdown, Form, Input, InputNumber, Modal, Select, Switch, Tooltip } from "antd";
import { useState } from "react";
import type { Status } from "../api";
import type { Page } from "../App";
import { useDesk } from "../desk";
import { say, t } from "../locale";
import { useSession } from "../session";
import { setSound, soundOn } from "../sound";

const statuses: Status[] = ["online", "busy", "away", "offline"];

export function Header({ page, pages, go }: { page: Page | undefined; pages: Page[]; go: (p: Page) => void }) {
  const { api, me, setMe } = useSession();
  const desk = useDesk();
  const { message, modal } = AntApp.useApp();
  const [status, setStatus] = useState<Status>(me.presence.status);
  const [capacity, setCapacity] = useState(me.presence.capacity || me.user.capacity || 5);
  const [sound, setSoundState] = useState(soundOn);
  const [password, setPassword] = useState(false);
  const [keys, setKeys] = useState(false);
  const works = pages.includes("work");

  const present = (s: Status, n: number) =>
    api.presence(s, n).then(
      () => {
        setStatus(s);
        setCapacity(n);
      },
      (err: unknown) => message.error(say(err)),
    );

  const logout = () => {
    const leave = async () => {
      if (works) await api.presence("offline", capacity).catch(() => {});
      await api.logout().catch(() => {});
      setMe(null);
    };
    const n = desk.state.order.length;
    if (!n) return void leave();
    modal.confirm({ title: t.me.logout, content: t.me.logoutConfirm(n), onOk: leave });
  };

  return (
    <header className="header">
      <div className="brand">
        <img src="/console/icon.svg" alt="" />
        <b>{t.brand}</b>
      </div>
      <nav>
        {pages.map((p) => (
          <button key={p} type="button" className={p === page ? "on" : ""} onClick={() => go(p)}>
            {t.nav[p]}
          </button>
        ))}
      </nav>
      <span className="spring" />
      {works && (
        <>
          {desk.live !== "open" && <span className="live-text">{t.live[desk.live]}</span>}
          <Tooltip title={t.live[desk.live]}>
            <span className={"live " + desk.live} role="status" aria-label={t.live[desk.live]} />
          </Tooltip>
          {status === "offline" && (
            <Button size="small" type="primary" onClick={() => void present("online", capacity)}>
              {t.goOnline}
            </Button>
          )}
          <Select<Status>
            className="presence"
            size="small"
            value={status}
            aria-label={t.statusHint[status]}
            popupMatchSelectWidth={200}
            onChange={(s) => void present(s, capacity)}
            optionRender={(o) => (
              <span className="presence-option">
                <i className={"dot " + o.value} /> {t.status[o.value as Status]} <small>{t.statusHint[o.value as Status]}</small>
              </span>
            )}
            labelRender={(o) => (
              <span>
                <i className={"dot " + o.value} /> {t.status[o.value as Status]}
              </span>
            )}
            options={statuses.map((s) => ({ value: s, label: t.status[s] }))}
          />
          <Tooltip title={t.capacity}>
            <InputNumber
              className="capacity"
              size="small"
              prefix={<span className="dim">{t.capacityShort}</span>}
              min={1}
              max={100}
              value={capacity}
              aria-label={t.capacity}
              onChange={(n) => n && void present(status, n)}
            />
          </Tooltip>
        </>
      )}
      <Dropdown
        trigger={["click"]}
        menu={{
          items: [
            {
              key: "sound",
              label: (
                <span className="menu-switch">
                  {t.me.sound} <Switch size="small" checked={sound} />
                </span>
              ),
              icon: <BellOutlined />,
            },
            ...(works ? [{ key: "keys", label: t.me.keys }] : []),
            { key: "password", label: t.me.password },
            { type: "divider" },
            { key: "logout", label: t.me.logout },
          ],
          onClick: ({ key }) => {
            if (key === "sound") {
              setSound(!sound);
              setSoundState(!sound);
            } else if (key === "keys") setKeys(true);
            else if (key === "password") setPassword(true);
            else logout();
          },
        }}
      >
        <Button type="text" className="who">
          {me.user.name} <DownOutlined />
        </Button>
      </Dropdown>
      <Modal open={keys} title={t.me.keys} footer={null} onCancel={() => setKeys(false)} width={420}>
        <table className="keys">
          <tbody>
            {t.keys.map(([k, what]) => (
              <tr key={k}>
                <td>
                  <kbd>{k}</kbd>
                </td>
                <td>{what}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Modal>
      {password && (
        <PasswordDialog
          onClose={() => setPassword(false)}
          save={(old, next) =>
            api.password(old, next).then(() => {
              message.success(t.me.changed);
              setPassword(false);
            })
          }
        />
      )}
    </header>
  );
}

function PasswordDialog({ onClose, save }: { onClose: () => void; save: (old: string, next: string) => Promise<void> }) {
  const [form] = Form.useForm<{ old: string; next: string }>();
  const [busy, setBusy] = useState(false);
  return (
    <Modal
      open
      title={t.me.password}
      onCancel={onClose}
      confirmLoading={busy}
      onOk={() =>
        form.validateFields().then((v) => {
          setBusy(true);
          return save(v.old, v.next)
            .catch((err: unknown) => form.setFields([{ name: "old", errors: [say(err)] }]))
            .finally(() => setBusy(false));
        })
      }
    >
      <Form form={form} layout="vertical">
        <Form.Item name="old" label={t.me.old} rules={[{ required: true }]}>
          <Input.Password autoComplete="current-password" />
        </Form.Item>
        <Form.Item name="next" label={t.me.next} extra={t.users.passwordHint} rules={[{ required: true, min: 8 }]}>
          <Input.Password autoComplete="new-password" />
        </Form.Item>
      </Form>
    </Modal>
  );
}
