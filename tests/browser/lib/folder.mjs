// Where a test keeps its files: configurations, logs, recordings. Kept until its next run.

import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** An empty folder below tests/output. */
export function freshFolder(...names) {
  const folder = path.join(ROOT, 'tests/output', ...names);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

export const SCREENS = path.join(ROOT, 'tests/output/screens');
