import { useEffect, useRef, useState } from "preact/hooks";

/** Milliseconds after the last letter. */
const PAUSE = 250;

/** A field that asks when its reader has stopped typing. The first one of a page is reached by the key "/". */
export function Search(props: {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly list?: readonly string[];
  readonly width?: string;
}) {
  const { label, placeholder, value, onChange, list, width } = props;
  const [text, setText] = useState(value);
  const timer = useRef(0);
  useEffect(() => setText(value), [value]);
  const id = `list-${label.replace(/\W/g, "")}`;
  return (
    <>
      <input
        class="search"
        type="search"
        aria-label={label}
        placeholder={placeholder}
        value={text}
        spellcheck={false}
        autocomplete="off"
        list={list === undefined ? undefined : id}
        style={width === undefined ? undefined : { width }}
        onInput={(event) => {
          const typed = event.currentTarget.value;
          setText(typed);
          clearTimeout(timer.current);
          timer.current = window.setTimeout(() => onChange(typed.trim()), PAUSE);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          clearTimeout(timer.current);
          onChange(text.trim());
        }}
      />
      {list !== undefined && (
        <datalist id={id}>
          {list.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
    </>
  );
}
