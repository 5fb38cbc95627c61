// Builds dist/widget.js, one classic script with everything in it, and copies
// the demo page's files. Run by "npm run build"; "--watch" rebuilds.
import { build, context } from "esbuild";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const budget = 40 * 1024; // bytes, gzipped: what a visitor's page may cost

const options = {
  entryPoints: ["src/main.ts"],
  outfile: "dist/widget.js",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "utf8",
  loader: { ".css": "text" },
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
};

// The style is text in the script; squeeze it as esbuild would a file.
const css = {
  name: "css-text",
  setup(b) {
    b.onLoad({ filter: /\.css$/ }, async (args) => {
      const out = await build({ entryPoints: [args.path], minify: true, write: false, logLevel: "warning" });
      return { contents: out.outputFiles[0].text.trim(), loader: "text", watchFiles: [args.path] };
    });
  },
};

mkdirSync("dist", { recursive: true });
cpSync("demo", "dist/demo", { recursive: true });

if (process.argv.includes("--watch")) {
  const c = await context({ ...options, plugins: [css], minify: false, sourcemap: "inline" });
  await c.watch();
} else {
  await build({ ...options, plugins: [css] });
  const size = gzipSync(readFileSync("dist/widget.js"), { level: 9 }).length;
  console.log(`dist/widget.js ${(size / 1024).toFixed(1)} KB gzipped`);
  if (size > budget) {
    console.error(`dist/widget.js is over its budget of ${budget / 1024} KB`);
    process.exit(1);
  }
}
