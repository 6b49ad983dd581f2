/** The examples in the API of the layers: which public symbol has none, and which do not compile. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript";
import { NOT_PUBLISHED, PACKAGES } from "./stage.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** What examples take for granted: an open client, a rule, a request. Imported as what is public is. */
const WORLD = { specifier: "./example-world.ts", file: join(import.meta.dirname, "example-world.ts") };

/** A public entry of a layer: what it is imported by, and its module. */
interface Entry {
  readonly specifier: string;
  readonly file: string;
}

interface Example {
  /** `FILE:LINE`. */
  readonly place: string;
  readonly code: string;
}

/** Sources that are not on the disk, beside those that are: parsed once for all programs. */
class Sources {
  readonly #host: ts.CompilerHost;
  readonly #options: ts.CompilerOptions;
  readonly #files = new Map<string, ts.SourceFile | undefined>();

  constructor() {
    const { config } = ts.readConfigFile(join(ROOT, "tsconfig.base.json"), (path) => ts.sys.readFile(path)) as {
      config: unknown;
    };
    this.#options = {
      ...ts.parseJsonConfigFileContent(config, ts.sys, ROOT).options,
      noEmit: true,
      declaration: false,
      // An example names what it shows, and need not use it.
      noUnusedLocals: false,
      noUnusedParameters: false,
      verbatimModuleSyntax: false,
      rewriteRelativeImportExtensions: false,
      allowImportingTsExtensions: true,
    };
    this.#host = ts.createCompilerHost(this.#options, true);
  }

  program(roots: readonly string[], made: ReadonlyMap<string, string> = new Map()): ts.Program {
    const host: ts.CompilerHost = {
      ...this.#host,
      fileExists: (path) => made.has(path) || this.#host.fileExists(path),
      readFile: (path) => made.get(path) ?? this.#host.readFile(path),
      getSourceFile: (path, settings) => {
        const text = made.get(path);
        if (text !== undefined) return ts.createSourceFile(path, text, settings, true);
        if (!this.#files.has(path)) this.#files.set(path, this.#host.getSourceFile(path, settings));
        return this.#files.get(path);
      },
    };
    return ts.createProgram({ rootNames: [...roots, ...made.keys()], options: this.#options, host });
  }
}

const sources = new Sources();

/** @returns what is wrong with the examples of the published layers, a line each */
export function exampleProblems(): string[] {
  return problemsIn(
    PACKAGES.flatMap((name) => {
      const layer = join(ROOT, "layers", name);
      const { exports } = JSON.parse(readFileSync(join(layer, "package.json"), "utf8")) as {
        exports: Readonly<Record<string, string>>;
      };
      return Object.entries(exports)
        .filter(([path]) => !NOT_PUBLISHED.has(path))
        .map(([path, source]) => ({ specifier: `${name}${path.slice(1)}`, file: join(layer, source) }));
    }),
    PACKAGES.flatMap((name) => sourcesIn(join(ROOT, "layers", name, "src"))),
  );
}

/**
 * @param entries the modules whose exports are public
 * @param files those whose examples are compiled
 */
export function problemsIn(entries: readonly Entry[], files: readonly string[]): string[] {
  const program = sources.program([...entries, WORLD].map(({ file }) => file));
  const publics = publicSymbols(program, entries);
  const lacking = [...publics].filter(
    ([, { symbol }]) => needsExample(program, symbol) && !hasExample(program, symbol),
  );
  const examples = files.flatMap(examplesOf);
  const names = new Map([...publicSymbols(program, [WORLD]), ...publics]);
  const made = new Map(
    examples.map(({ code }, i) => [join(import.meta.dirname, `example-${i}.ts`), withImports(code, names)]),
  );
  const compiled = sources.program([], made);
  const wrong = [...made.keys()].flatMap((path, i) => {
    const file = compiled.getSourceFile(path);
    const found = [...compiled.getSyntacticDiagnostics(file), ...compiled.getSemanticDiagnostics(file)];
    return found.map(
      ({ messageText }) => `${examples[i]?.place}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );
  });
  return [...lacking.map(([name, { specifier }]) => `${name} of ${specifier} has no @example`), ...wrong];
}

type Publics = ReadonlyMap<string, { readonly symbol: ts.Symbol; readonly specifier: string }>;

function publicSymbols(program: ts.Program, entries: readonly Entry[]): Publics {
  const checker = program.getTypeChecker();
  const found = new Map<string, { symbol: ts.Symbol; specifier: string }>();
  for (const { specifier, file } of entries) {
    const module = program.getSourceFile(file);
    const symbol = module && checker.getSymbolAtLocation(module);
    if (symbol === undefined) throw new Error(`${file} exports nothing`);
    for (const exported of checker.getExportsOfModule(symbol)) {
      const is = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (!found.has(exported.name)) found.set(exported.name, { symbol: is, specifier });
    }
  }
  return found;
}

/**
 * What somebody calls, constructs, passes, implements or is told needs one. What a call returns is in the example of the call, and
 * what is part of something else in the example of that.
 */
function needsExample(program: ts.Program, symbol: ts.Symbol): boolean {
  if (symbol.flags & ts.SymbolFlags.Value || /(Options|Settings|Message)$/.test(symbol.name)) return true;
  const checker = program.getTypeChecker();
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const isCallable = (what: ts.Type): boolean => checker.getNonNullableType(what).getCallSignatures().length > 0;
  return (
    isCallable(type) ||
    (type.isClassOrInterface() && type.getProperties().some((member) => isCallable(checker.getTypeOfSymbol(member))))
  );
}

function hasExample(program: ts.Program, symbol: ts.Symbol): boolean {
  return symbol.getJsDocTags(program.getTypeChecker()).some(({ name }) => name === "example");
}

function sourcesIn(folder: string): string[] {
  return (
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      // Fail points are not published.
      .filter((name) => name.endsWith(".ts") && name !== "fail-points.ts")
      .map((name) => join(folder, name))
  );
}

function examplesOf(path: string): Example[] {
  if (!existsSync(path)) throw new Error(`there is no ${path}`);
  const file = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  const found = new Map<number, Example>();
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      if (tag.tagName.text !== "example") continue;
      const line = file.getLineAndCharacterOfPosition(tag.pos).line + 1;
      found.set(tag.pos, {
        place: `${relative(ROOT, path)}:${line}`,
        code: ts.getTextOfJSDocComment(tag.comment) ?? "",
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...found.values()];
}

/** The code as a module that imports each name that it uses, and does not declare itself. */
function withImports(code: string, names: Publics): string {
  const own = declaredIn(code);
  const imports = [...names]
    .filter(([name]) => !own.has(name) && new RegExp(`\\b${name}\\b`).test(code))
    .map(([name, { specifier }]) => `import { ${name} } from "${specifier}";`);
  return `${imports.join("\n")}\n${code}\nexport {};\n`;
}

function declaredIn(code: string): Set<string> {
  const names = new Set<string>();
  const bind = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) names.add(name.text);
    else for (const element of name.elements) if (ts.isBindingElement(element)) bind(element.name);
  };
  for (const statement of ts.createSourceFile("example.ts", code, ts.ScriptTarget.Latest).statements)
    if (ts.isVariableStatement(statement)) for (const { name } of statement.declarationList.declarations) bind(name);
  return names;
}
