// The type declarations of the JavaScript API, by TypeScript's own compiler.

import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { modern, page } from './page.mjs';

const DECLARATIONS = fileURLToPath(new URL('../../../assets/src/api/rtckit.d.ts', import.meta.url));
const SAMPLE = fileURLToPath(new URL('types.sample.ts', import.meta.url));

const program = ts.createProgram([SAMPLE], {
  strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, noEmit: true, types: [],
  target: ts.ScriptTarget.ES2022, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
});

test("a shop's page in strict TypeScript compiles, and its mistakes are told of", () => {
  const found = ts.getPreEmitDiagnostics(program);
  assert.equal(ts.formatDiagnostics(found, {
    getCanonicalFileName: (name) => name, getCurrentDirectory: () => '', getNewLine: () => '\n',
  }), '');
});

test('the declarations name what the script has, no more and no less', () => {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(DECLARATIONS);
  const space = checker.getSymbolsInScope(file, ts.SymbolFlags.Namespace).find(({ name }) => name === 'RTCKit');
  const phone = checker.getExportsOfModule(space).find(({ name }) => name === 'WebPhone');
  const names = (all) => all.filter((name) => !name.startsWith('on')).sort();
  const declared = names(checker.getDeclaredTypeOfSymbol(phone).getProperties().map(({ name }) => name));
  // The handlers are the page's own; the script has the commands.
  assert.deepEqual(names(Object.keys(page(modern()).phone)), declared);
  assert.ok(declared.length > 15, declared.join());
});
