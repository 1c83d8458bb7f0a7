import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    rules: { "max-len": ["error", { code: 120 }], "no-nested-ternary": "error", "one-var": ["error", "never"] },
  },
];
