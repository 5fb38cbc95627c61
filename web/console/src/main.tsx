import { App as AntApp, ConfigProvider } from "antd";
import zhCN from "antd/locale/zh_CN";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./style.css";

const theme = {
  token: { colorPrimary: "#0f5ea8", borderRadius: 6, fontSize: 14, fontFamily: 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif' },
  components: { Layout: { headerBg: "#0f3557" } },
};

createRoot(document.getElementById("root")!).render(
  <ConfigProvider locale={zhCN} theme={theme} button={{ autoInsertSpace: false }}>
    <AntApp message={{ maxCount: 3 }} notification={{ placement: "bottomLeft" }} style={{ height: "100%" }}>
      <App />
    </AntApp>
  </ConfigProvider>,
);
