/** Two builds of one source into the Python package: the page's script and the notebook widget's module. */
import { defineConfig } from "vite";

export default defineConfig(({ mode }) => ({
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    target: "es2022",
    outDir: "../src/vitscope/viewer/static",
    emptyOutDir: false,
    cssMinify: true,
    lib:
      mode === "widget"
        ? {
            entry: "src/widget.tsx",
            formats: ["es" as const],
            fileName: () => "widget.js",
            cssFileName: "page",
          }
        : {
            entry: "src/page.tsx",
            formats: ["iife" as const],
            name: "vitscope",
            fileName: () => "page.js",
            cssFileName: "page",
          },
  },
}));
