// Bundles what the pages load: controller/web/static/{app.css,app.js,loa.svg} and all they import from npm become
// controller/web/static/dist/. Also written there: manifest.json (name -> first 12 digits of the SHA-256, for
// addresses that may be cached for ever) and licences.txt (the licence of every package that went in).
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const source = path.join(root, "controller/web/static");
const target = path.join(source, "dist");
// Built beside and moved into place, so that an interrupted build never leaves half a page behind.
const beside = path.join(source, `dist.new-${process.pid}`);

const entries = readdirSync(source).filter((name) => /^[a-z_]+\.(css|js|svg)$/.test(name));

const built = await esbuild.build({
  absWorkingDir: root,
  entryPoints: entries.map((name) => path.join(source, name)),
  outdir: beside,
  bundle: true,
  minify: true,
  metafile: true,
  format: "iife",
  target: ["es2020", "safari14.1"],
  assetNames: "[name]",
  loader: { ".woff2": "file", ".woff": "empty", ".svg": "copy" },
  legalComments: "none",
  logLevel: "warning",
});

const packages = new Set(
  Object.keys(built.metafile.inputs)
    .map((input) => input.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
    .filter(Boolean),
);
const licences = [...packages].sort().map((name) => {
  const folder = path.join(root, "node_modules", name);
  const about = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(path.join(folder, file), "utf8").trim() : "(no licence file in the package)";
  return `${name} ${about.version} (${about.license ?? "see below"})\n\n${text}\n`;
});
mkdirSync(beside, { recursive: true });
writeFileSync(path.join(beside, "licences.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));

const manifest = {};
for (const name of readdirSync(beside).sort()) {
  manifest[name] = createHash("sha256").update(readFileSync(path.join(beside, name))).digest("hex").slice(0, 12);
}
writeFileSync(path.join(beside, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);

rmSync(target, { recursive: true, force: true });
renameSync(beside, target);
