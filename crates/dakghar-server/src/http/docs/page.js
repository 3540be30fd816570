// Shows /openapi.json. Everything is built as text nodes, so nothing in the document can become markup.
"use strict";

/** An element with these children; strings become text. */
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text in which `this` is shown as code. */
function prose(text) {
  return (text ?? "").split("`").map((part, i) => (i % 2 === 1 ? el("code", null, part) : part));
}

function paragraphs(text) {
  return (text ?? "").split("\n\n").filter(Boolean).map((part) => el("p", null, prose(part)));
}

const METHODS = ["get", "post", "put", "patch", "delete"];

class Page {
  constructor(spec) {
    this.spec = spec;
  }

  resolve(schema) {
    const name = schema?.$ref?.split("/").pop();
    return name ? { name, ...this.spec.components.schemas[name] } : (schema ?? {});
  }

  /** The name of a schema's type, for people. */
  typeOf(schema) {
    const options = schema?.oneOf ?? schema?.anyOf;
    if (options) return options.map((option) => this.typeOf(option)).join(" or ");
    const resolved = this.resolve(schema);
    if (resolved.name) return resolved.name;
    if (resolved.enum) return resolved.enum.map((value) => JSON.stringify(value)).join(" | ");
    if (resolved.type === "array") return `${this.typeOf(resolved.items)}[]`;
    return [resolved.type ?? "any"].flat().join(" or ");
  }

  /** All fields of an object, also those it shares with others. */
  fieldsOf(schema) {
    const resolved = this.resolve(schema);
    const shared = (resolved.allOf ?? []).flatMap((part) => this.fieldsOf(part));
    const options = (resolved.oneOf ?? []).flatMap((part) => (part.type === "null" ? [] : this.fieldsOf(part)));
    const own = Object.entries(resolved.properties ?? {}).map(([name, field]) => ({
      name,
      field,
      required: resolved.required?.includes(name) ?? false,
    }));
    return [...shared, ...options, ...own];
  }

  /** An example made of the schema's own examples. */
  exampleOf(schema, depth = 0) {
    const resolved = this.resolve(schema);
    const given = schema?.example ?? resolved.example ?? resolved.examples?.[0];
    if (given !== undefined) return given;
    if (depth > 5) return null;
    if (resolved.enum) return resolved.enum.includes(null) ? null : resolved.enum[0];
    const type = [resolved.type].flat()[0];
    if (type === "array") return [this.exampleOf(resolved.items, depth + 1)];
    const fields = this.fieldsOf(resolved);
    if (fields.length > 0) {
      return Object.fromEntries(fields.map(({ name, field }) => [name, this.exampleOf(field, depth + 1)]));
    }
    if ([resolved.type].flat().includes("null") || resolved.oneOf) return null;
    return { string: "…", integer: 0, number: 0, boolean: false, object: {} }[type] ?? null;
  }

  requestExample(operation) {
    const content = operation.requestBody?.content?.["application/json"];
    if (!content) return undefined;
    const named = Object.values(content.examples ?? {})[0]?.value;
    return content.example ?? named ?? this.exampleOf(content.schema);
  }

  curl(path, method, operation) {
    // curl reads braces itself, so parameters become shell variables: {tenantId} is $TENANT_ID.
    const url = path.replace(/\{(\w+)\}/g, (_, name) => "$" + name.replace(/[A-Z]/g, "_$&").toUpperCase());
    const lines = [`curl -X ${method.toUpperCase()} ${location.origin}${url}`];
    if (operation.security) lines.push(`-H "Authorization: Bearer $DAKGHAR_KEY"`);
    const example = this.requestExample(operation);
    if (example !== undefined) {
      lines.push(`-H "Content-Type: application/json"`);
      lines.push(`-d '${JSON.stringify(example).replaceAll("'", "'\\''")}'`);
    }
    return lines.join(" \\\n  ");
  }

  table(titles, rows) {
    const head = el("tr", null, titles.map((title) => el("th", { scope: "col" }, title)));
    return el("table", null, el("thead", null, head), el("tbody", null, rows));
  }

  fieldTable(schema) {
    const rows = this.fieldsOf(schema).map(({ name, field, required }) =>
      el("tr", null,
        el("td", null, el("code", null, name), required ? " *" : ""),
        el("td", null, this.typeOf(field)),
        el("td", null, prose(field.description ?? this.resolve(field).description))));
    return rows.length > 0 ? this.table(["field", "type", "meaning"], rows) : null;
  }

  parameterTable(parameters) {
    const rows = parameters.map((parameter) =>
      el("tr", null,
        el("td", null, el("code", null, parameter.name), parameter.required ? " *" : ""),
        el("td", null, `${parameter.in}, ${this.typeOf(parameter.schema)}`),
        el("td", null, prose(parameter.description))));
    return this.table(["parameter", "in, type", "meaning"], rows);
  }

  response([status, response]) {
    const json = response.content?.["application/json"];
    const codes = Object.keys(response.content?.["application/problem+json"]?.examples ?? {});
    const body = [];
    if (codes.length > 0) {
      const links = codes.map((code) => el("li", null, el("a", { href: `/docs/errors#${code}` }, el("code", null, code)),
        ` ${response.content["application/problem+json"].examples[code].summary ?? ""}`));
      body.push(el("ul", null, links));
    }
    if (json) {
      const fields = this.fieldTable(json.schema);
      const items = this.resolve(json.schema).properties?.data?.items;
      const example = json.example ?? this.exampleOf(json.schema);
      if (fields) body.push(fields);
      if (items) body.push(el("p", null, "Each item:"), this.fieldTable(items));
      body.push(el("pre", null, JSON.stringify(example, null, 2)));
    }
    const title = codes.length > 0 ? codes.join(", ") : (response.description ?? "");
    return el("details", null, el("summary", null, el("strong", null, status), " ", prose(title)), body);
  }

  operation(path, method, operation) {
    const schemes = (operation.security ?? []).flatMap((requirement) => Object.keys(requirement));
    const access = schemes.includes("tenantKey")
      ? "The tenant's key, or the admin key."
      : schemes.includes("adminKey") ? "The admin key." : "No key.";
    const parts = [
      el("h3", null, operation.summary ?? operation.operationId),
      el("p", { class: "path" }, el("span", { class: "method" }, method.toUpperCase()), ` ${path}`),
      ...paragraphs(operation.description),
      el("p", { class: "faint" }, access),
    ];
    if (operation.parameters?.length > 0) parts.push(this.parameterTable(operation.parameters));
    const request = operation.requestBody?.content?.["application/json"];
    if (request) {
      const fields = this.fieldTable(request.schema);
      parts.push(el("h4", null, "Body"), ...paragraphs(this.resolve(request.schema).description));
      if (fields) parts.push(fields);
    }
    parts.push(el("h4", null, "Example"), el("pre", null, this.curl(path, method, operation)));
    const others = Object.entries(request?.examples ?? {}).slice(1);
    for (const [name, example] of others) {
      parts.push(el("details", null, el("summary", null, `Body: ${name}`), el("pre", null, JSON.stringify(example.value, null, 2))));
    }
    parts.push(el("h4", null, "Answers"), ...Object.entries(operation.responses).map((entry) => this.response(entry)));
    return el("section", { id: operation.operationId }, parts);
  }

  render(contents, main) {
    const { info, tags, paths } = this.spec;
    contents.append(el("strong", null, `${info.title} ${info.version}`));
    main.append(el("h1", null, info.title), ...paragraphs(info.description));
    main.append(el("p", null, el("a", { href: "/openapi.json" }, "OpenAPI document"), " · ",
      el("a", { href: "/docs/errors" }, "Error codes")));
    for (const tag of tags) {
      contents.append(el("h2", null, tag.name));
      main.append(el("h2", null, tag.name), el("p", { class: "faint" }, tag.description ?? ""));
      for (const [path, item] of Object.entries(paths)) {
        for (const method of METHODS.filter((name) => item[name]?.tags?.includes(tag.name))) {
          const operation = item[method];
          contents.append(el("a", { href: `#${operation.operationId}` }, operation.summary ?? operation.operationId));
          main.append(this.operation(path, method, operation));
        }
      }
    }
    // The place named in the address did not exist when the browser looked for it.
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
}

async function start() {
  const main = document.getElementById("operations");
  try {
    const response = await fetch("/openapi.json");
    new Page(await response.json()).render(document.getElementById("contents"), main);
  } catch (error) {
    main.append(el("p", null, `The OpenAPI document cannot be shown: ${error.message}`));
  }
}

start();
