import { LockOutlined, UserOutlined } from "@ant-design/icons";
import { Alert, Button, Card, Form, Input } from "antd";
import { useState } from "react";
import type { Api, Me } from "../api";
import { say, t } from "../locale";

export function Login({ api, onDone }: { api: Api; onDone: (me: Me) => void }) {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  return (
    <div className="login">
      <Card className="login-card">
        <h1>
          <img src="/console/icon.svg" alt="" /> {t.brand} <small>{t.title}</small>
        </h1>
        <Form
          size="large"
          onFinish={(v: { login: string; password: string }) => {
            setBusy(true);
            setError("");
            api
              .login(v.login.trim(), v.password)
              .then(onDone, (err: unknown) => setError(say(err)))
              .finally(() => setBusy(false));
          }}
        >
          <Form.Item name="login" rules={[{ required: true, message: t.login.needLogin }]}>
            <Input prefix={<UserOutlined />} placeholder={t.login.login} autoComplete="username" autoFocus aria-label={t.login.login} />
          </Form.Item>
          <Form.Item name="password" rules={[{ required: true, message: t.login.needPassword }]}>
            <Input.Password prefix={<LockOutlined />} placeholder={t.login.password} autoComplete="current-password" aria-label={t.login.password} />
          </Form.Item>
          {error && <Alert type="error" showIcon title={error} className="login-error" />}
          <Button type="primary" htmlType="submit" block loading={busy}>
            {t.login.submit}
          </Button>
        </Form>
        <p className="login-notice">{t.login.notice}</p>
      </Card>
    </div>
  );
}
