import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Served under /console/ by the gateway. `npm run dev` shows it with reload,
// against a gateway on the default port.
export default defineConfig({
  base: "/console/",
  plugins: [react()],
  build: { target: "es2022", chunkSizeWarningLimit: 1600, assetsInlineLimit: 0 },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8080", ws: true }, "/readyz": "http://127.0.0.1:8080" } },
});
