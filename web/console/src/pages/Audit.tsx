import { App as AntApp, Button, Input, Select, Space, Table } from "antd";
import { useCallback, useEffect, useState } from "react";
import type { AuditLine, User } from "../api";
import { say, t, word } from "../locale";
import { useSession } from "../session";

export function Audit() {
  const { api, me } = useSession();
  const { message } = AntApp.useApp();
  const [rows, setRows] = useState<AuditLine[]>([]);
  const [users, setUsers] = useState<User[]>([]);
  const [object, setObject] = useState("");
  const [user, setUser] = useState<string>();
  const [more, setMore] = useState(false);

  const load = useCallback(
    (before?: number) =>
      api.audit({ object: object.trim(), ...(user ? { user } : {}), ...(before ? { before } : {}) }).then(
        (items) => {
          setRows((old) => (before ? [...old, ...items] : items));
          setMore(items.length === 100);
        },
        (err: unknown) => void message.error(say(err)),
      ),
    [api, message, object, user],
  );
  useEffect(() => void load(), [load]);
  const admin = me.user.roles.some((r) => r === "admin" || r === "supervisor");
  useEffect(() => {
    if (admin) api.users().then(setUsers, () => {});
  }, [api, admin]);
  const name = (id: string) => users.find((u) => u.id === id)?.name ?? (id === "cli" ? t.audit.cli : id);

  return (
    <div className="page">
      <Space className="bar">
        <Input.Search allowClear placeholder={t.audit.filterObject} onSearch={setObject} style={{ width: 300 }} />
        {admin && (
          <Select
            allowClear
            placeholder={t.audit.filterUser}
            value={user}
            onChange={setUser}
            style={{ width: 180 }}
            options={users.map((u) => ({ value: u.id, label: u.name }))}
          />
        )}
        <Button onClick={() => void load()}>{t.list.refresh}</Button>
      </Space>
      <Table<AuditLine>
        rowKey="id"
        size="small"
        dataSource={rows}
        pagination={false}
        columns={[
          { title: t.audit.at, width: 170, render: (_, r) => new Date(r.at).toLocaleString("zh-CN", { hour12: false }) },
          { title: t.audit.user, width: 120, render: (_, r) => name(r.user) },
          { title: t.audit.action, width: 130, render: (_, r) => word(t.audit.actions, r.action) },
          { title: t.audit.object, render: (_, r) => <span className="mono">{name(r.object)}</span> },
          { title: t.audit.detail, render: (_, r) => word({ ...t.status, ...t.closer, ...t.wording }, r.detail ?? "") },
          { title: t.audit.ip, dataIndex: "ip", width: 140 },
        ]}
      />
      {more && (
        <Button className="more" onClick={() => void load(rows[rows.length - 1]?.id)}>
          {t.audit.more}
        </Button>
      )}
    </div>
  );
}
