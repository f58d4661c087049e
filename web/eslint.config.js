import js from '@eslint/js';
import ts from 'typescript-eslint';

// Imports go down only: ui -> model -> api. What a layer may not name is written here.
const layer = (files, forbidden) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: forbidden, message: 'imports go down only: ui, model, api' }] }] },
});
const globals = (names) => names.map((name) => ({ name, message: 'belongs to src/api or src/model' }));

export default ts.config(
  { ignores: ['src/gen', 'node_modules'] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js', 'tools/*.mjs'] } } },
    rules: {
      'max-lines': ['error', 800],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: false }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // It does not see what another turn of the event loop changes: an abort, a counter.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
    },
  },
  layer(['src/api/**'], ['**/model/**', '**/ui/**', 'preact', 'preact/*', '@preact/*']),
  layer(['src/model/**'], ['**/ui/**', 'preact', 'preact/*']),
  layer(['src/ui/**'], ['**/api/**', '**/gen/**', '@connectrpc/*', '@bufbuild/*']),
  {
    files: ['src/ui/**'],
    rules: { 'no-restricted-globals': ['error', ...globals(['fetch', 'localStorage', 'sessionStorage', 'indexedDB', 'BroadcastChannel'])] },
  },
  { files: ['test/**', 'e2e/**', 'e2e-node/**'], rules: { 'max-lines-per-function': 'off', '@typescript-eslint/no-non-null-assertion': 'off' } },
  { files: ['eslint.config.js', 'tools/*.mjs'], ...ts.configs.disableTypeChecked, languageOptions: { ...ts.configs.disableTypeChecked.languageOptions, globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } } },
);
