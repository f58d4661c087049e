// Makes src/gen from the public API (../proto/parley/v1/api.proto): needs protoc, and protoc-gen-es from node_modules.
// Does nothing where the result is newer than the API.
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const time = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const proto = 'parley/v1/api.proto';
const made = here('src/gen/parley/v1/api_pb.ts');

if (time(made) < Math.max(time(here(`../proto/${proto}`)), time(here('package-lock.json')))) {
  mkdirSync(here('src/gen'), { recursive: true });
  execFileSync(
    'protoc',
    [
      `--proto_path=${here('../proto')}`,
      `--plugin=protoc-gen-es=${here('node_modules/.bin/protoc-gen-es')}`,
      `--es_out=${here('src/gen')}`,
      '--es_opt=target=ts,import_extension=none',
      proto,
    ],
    { stdio: 'inherit' },
  );
}
