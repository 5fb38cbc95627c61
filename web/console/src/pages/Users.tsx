import { App as AntApp, Button, Form, Input, InputNumber, Modal, Popconfirm, Select, Space, Table, Tag } from "antd";
import { useCallback, useEffect, useState } from "react";
import type { Role, User } from "../api";
import { say, t } from "../locale";
import { useSession } from "../session";

const roles = Object.entries(t.roles).map(([value, label]) => ({ value: value as Role, label }));

export function Users() {
  const { api, groups } = useSession();
  const { message } = AntApp.useApp();
  const [rows, setRows] = useState<User[]>([]);
  const [edit, setEdit] = useState<User | "new" | null>(null);

  const load = useCallback(() => {
    api.users().then(
      (us) => setRows(us.sort((a, b) => a.login.localeCompare(b.login))),
      (err: unknown) => message.error(say(err)),
    );
  }, [api, message]);
  useEffect(load, [load]);

  return (
    <div className="page">
      <Space className="bar">
        <Button type="primary" onClick={() => setEdit("new")}>
          {t.users.add}
        </Button>
      </Space>
      <Table<User>
        rowKey="id"
        size="small"
        dataSource={rows}
        pagination={{ pageSize: 20, hideOnSinglePage: true }}
        columns={[
          { title: t.users.login, dataIndex: "login" },
          { title: t.users.name, dataIndex: "name" },
          { title: t.users.roles, render: (_, u) => <span className="tags">{u.roles.map((r) => <Tag key={r} className="tag">{t.roles[r]}</Tag>)}</span> },
          { title: t.users.groups, render: (_, u) => u.groups.map((g) => groups.find((x) => x.id === g)?.name ?? g).join("、") },
          { title: t.users.capacity, dataIndex: "capacity", width: 90 },
          {
            title: t.users.state,
            width: 80,
            render: (_, u) => (u.disabled ? <Tag>{t.users.disabled}</Tag> : <Tag color="green">{t.users.enabled}</Tag>),
          },
          {
            title: "",
            width: 150,
            render: (_, u) => (
              <Space>
                <Button size="small" onClick={() => setEdit(u)}>
                  {t.users.edit}
                </Button>
                <Popconfirm
                  title={u.disabled ? t.users.enable : t.users.disableConfirm}
                  onConfirm={() =>
                    api.patchUser(u.id, { disabled: !u.disabled }).then(load, (err: unknown) => void message.error(say(err)))
                  }
                >
                  <Button size="small" danger={!u.disabled}>
                    {u.disabled ? t.users.enable : t.users.disable}
                  </Button>
                </Popconfirm>
              </Space>
            ),
          },
        ]}
      />
      {edit && (
        <UserDialog
          user={edit === "new" ? null : edit}
          onClose={() => setEdit(null)}
          onSaved={() => {
            setEdit(null);
            message.success(t.users.saved);
            load();
          }}
        />
      )}
    </div>
  );
}

function UserDialog({ user, onClose, onSaved }: { user: User | null; onClose: () => void; onSaved: () => void }) {
  const { api, groups } = useSession();
  const { message } = AntApp.useApp();
  const [form] = Form.useForm<Record<string, unknown>>();
  const [busy, setBusy] = useState(false);
  const save = (v: Record<string, unknown>) => {
    const { login, password, ...rest } = v;
    const body = { ...rest, ...(password ? { password } : {}), ...(user ? {} : { login, name: v["name"] || login }) };
    setBusy(true);
    return (user ? api.patchUser(user.id, body) : api.createUser(body))
      .then(onSaved, (err: unknown) => void message.error(say(err)))
      .finally(() => setBusy(false));
  };
  return (
    <Modal open title={user ? t.users.edit : t.users.add} confirmLoading={busy} onCancel={onClose} onOk={() => form.validateFields().then(save)}>
      <Form form={form} layout="vertical" initialValues={user ? { ...user } : { roles: ["agent"], groups: groups.slice(0, 1).map((g) => g.id), capacity: 5 }}>
        <Form.Item name="login" label={t.users.login} rules={[{ required: !user }]}>
          <Input disabled={!!user} autoComplete="off" />
        </Form.Item>
        <Form.Item name="name" label={t.users.name} rules={[{ required: true, max: 64 }]}>
          <Input autoComplete="off" />
        </Form.Item>
        <Form.Item
          name="password"
          label={user ? t.users.newPassword : t.users.password}
          extra={t.users.passwordHint}
          rules={[{ required: !user }, { min: 8 }]}
        >
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <Form.Item name="roles" label={t.users.roles} rules={[{ required: true }]}>
          <Select mode="multiple" options={roles} />
        </Form.Item>
        <Form.Item name="groups" label={t.users.groups}>
          <Select mode="multiple" options={groups.map((g) => ({ value: g.id, label: g.name }))} />
        </Form.Item>
        <Form.Item name="capacity" label={t.users.capacity}>
          <InputNumber min={1} max={100} />
        </Form.Item>
      </Form>
    </Modal>
  );
}
