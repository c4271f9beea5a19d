#!/usr/bin/env python3
"""Writes tests/golden/chat/cases.json: what Jinja makes of chat templates and of many small ones.

usage: tools/oracle/chat_templates.py          (needs jinja2 3.1: Debian's python3-jinja2)

The environment is that of transformers' apply_chat_template: sandboxed and immutable, trim_blocks, lstrip_blocks, loop
controls, its own tojson, raise_exception and strftime_now. Templates are our own writing of what the named models' templates
do. A case is {name, template, variables, text} or, where Jinja fails, {..., error: true}.
"""
import datetime
import json
from pathlib import Path

import jinja2
import jinja2.ext
import jinja2.sandbox

NOW = datetime.datetime(2026, 2, 3, 14, 5, 6)  # a Tuesday
GOLDEN = Path(__file__).resolve().parents[2] / "tests/golden/chat/cases.json"


class Generation(jinja2.ext.Extension):
    """{% generation %}: marks the assistant's text for training, changes nothing."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


# --- Templates of models. ---

LLAMA3 = (
    "{% for message in messages %}"
    "{% set text = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set text = bos_token + text %}{% endif %}"
    "{{ text }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")

# What Llama 3.1's template does: a system text with dates, tools in the first user message or the system text, tool calls.
LLAMA31 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message goes first, whatever else comes. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if builtin_tools is defined or tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{%- if builtin_tools is defined %}
    {{- "Tools: " + builtin_tools | reject('equalto', 'code_interpreter') | join(", ") + "\\n\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {{- "You have these functions:\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- if tools_in_user_message and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("There is no first user message to put the tools into!") }}
    {%- endif %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
    {{- "Answer with a JSON call of one of these functions:\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first_user_message + "<|eot_id|>"}}
{%- endif %}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model calls one tool at a time!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {%- if builtin_tools is defined and tool_call.name in builtin_tools %}
            {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
            {{- "<|python_tag|>" + tool_call.name + ".call(" }}
            {%- for arg_name, arg_val in tool_call.arguments | items %}
                {{- arg_name + '="' + arg_val + '"' }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- endif %}
            {%- endfor %}
            {{- ")" }}
        {%- else  %}
            {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
            {{- '{"name": "' + tool_call.name + '", ' }}
            {{- '"parameters": ' }}
            {{- tool_call.arguments | tojson }}
            {{- "}" }}
        {%- endif %}
        {%- if builtin_tools is defined %}
            {{- "<|eom_id|>" }}
        {%- else %}
            {{- "<|eot_id|>" }}
        {%- endif %}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

FALCON3 = """{%- if tools %}
{{- '<|system|>\\n' }}
{%- if messages[0].role == 'system' %}
{{- messages[0].content }}
{%- set remaining_messages = messages[1:] %}
{%- else %}
{%- set remaining_messages = messages %}
{%- endif %}
{{- 'You may call these tools. List them in <tool_call> tags.\\n\\n' }}
{%- for tool in tools %}
{{- tool | tojson + '\\n' }}
{%- endfor %}
{%- else %}
{%- set remaining_messages = messages %}
{%- endif %}
{%- for message in remaining_messages %}
{%- if message['role'] == 'system' %}
{{- '<|system|>\\n' + message['content'] + '\\n' }}
{%- elif message['role'] == 'user' %}
{{- '<|user|>\\n' + message['content'] + '\\n' }}
{%- elif message['role'] == 'assistant' %}
{%- if not loop.last %}
{{- '<|assistant|>\\n' + message['content'] + eos_token + '\\n' }}
{%- else %}
{{- '<|assistant|>\\n' + message['content'] + eos_token }}
{%- endif %}
{%- endif %}
{%- if loop.last and add_generation_prompt %}
{{- '<|assistant|>\\n' }}
{%- endif %}
{%- endfor %}"""

# A guess at Falcon-E's, which could not be had: turns as above, a system text by default, contents in parts.
FALCON_E = """{% if messages[0]['role'] != 'system' %}{{ '<|system|>\\nYou are a helpful AI assistant.\\n' }}{% endif %}
{%- for message in messages %}
<|{{ message['role'] }}|>
{{ message['content'] if message['content'] is string else message['content'] | map(attribute='text') | join }}{{ eos_token if message.role == 'assistant' else '' }}
{% endfor %}
{% if add_generation_prompt %}
<|assistant|>
{% endif %}"""

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")

QWEN = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are a helpful assistant.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

# A reasoning model's: the last question is found from the end, thoughts of earlier turns are dropped.
THINKING = """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set reasoning_content = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or reasoning_content) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

BITNET = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}")

BITNET_GGUF = (
    "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ 'Human: ' + message['content'] + '\\n\\nBITNETAssistant: ' + eos_token }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}")

LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}"
    "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
    "{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content | trim + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' '  + content | trim + ' ' + eos_token }}{% endif %}{% endfor %}")

# Macros that call themselves: how templates print the types of tools.
TYPES = """{%- macro render(schema) -%}
    {%- if schema.type == 'array' -%}
        List[{{ render(schema['items']) }}]
    {%- elif schema.type == 'object' -%}
        { {%- for key, value in schema.properties | dictsort -%}
            {{ key }}: {{ render(value) }}{{ ', ' if not loop.last }}
        {%- endfor -%} }
    {%- else -%}
        {{ {'string': 'str', 'integer': 'int', 'boolean': 'bool'}[schema.type] | default('any') }}
    {%- endif -%}
{%- endmacro -%}
{%- for tool in tools %}
def {{ tool.function.name }}({% for name, p in tool.function.parameters.properties.items() %}{{ name }}: {{ render(p) }}{{ ", " if not loop.last else "" }}{% endfor %}):
    {{ tool.function.description | default('no words', true) | indent(4) }}
{%- endfor %}
{%- for message in messages %}{% generation %}
[{{ loop.index }}/{{ loop.length }}] {{ message.role | upper }}: {{ message.content }}
{% endgeneration %}{% endfor %}
{{ strftime_now('%d %b %Y, %A %H:%M') }}"""

MODELS = {"llama3": LLAMA3, "llama3.1": LLAMA31, "falcon3": FALCON3, "falcon-e": FALCON_E, "chatml": CHATML, "qwen": QWEN,
          "thinking": THINKING, "bitnet": BITNET, "bitnet-gguf": BITNET_GGUF, "llama2": LLAMA2, "types": TYPES}


def message(role, content, **more):
    return {"role": role, "content": content, **more}


TOOL = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a \"place\", 'now'.\nIn degrees ≥ 0.",
    "parameters": {"type": "object", "required": ["place"], "properties": {
        "place": {"type": "string", "description": "where"}, "days": {"type": "array", "items": {"type": "integer"}},
        "more": {"type": "object", "properties": {"b": {"type": "boolean"}, "a": {"type": "number"}}}}}}}
CALL = {"type": "function", "function": {"name": "get_weather", "arguments": {"place": "Zürich <&>", "days": [1, 2]}}}

CONVERSATIONS = {
    "one": {"messages": [message("user", "Hello!")]},
    "system": {"messages": [message("system", "  Be brief. \n"), message("user", "Hi\nthere ")]},
    "turns": {"messages": [message("user", "What is 2+2?"), message("assistant", " 4\n"), message("user", "Und naïve 🦊?")]},
    "long": {"messages": [message("system", "S"), message("user", "a"), message("assistant", "<think>\nhm\n</think>\n\nb"),
                          message("user", "c"), message("assistant", "<think>\nso\n</think>\n\nd")]},
    "wrong": {"messages": [message("user", "a"), message("user", "b"), message("assistant", "c")]},
    "empty": {"messages": []},
    "tools": {"messages": [message("user", "Weather?")], "tools": [TOOL]},
    "called": {"messages": [message("user", "Weather?"), message("assistant", "", tool_calls=[CALL]),
                            message("tool", "{\"degrees\": 21}"), message("tool", "{}"), message("assistant", "21")],
               "tools": [TOOL]},
    "builtin": {"messages": [message("user", "Search."), message("assistant", "", tool_calls=[
        {"type": "function", "function": {"name": "brave", "arguments": {"query": "x", "lang": "de"}}}])],
        "builtin_tools": ["brave", "code_interpreter"]},
    "parts": {"messages": [message("user", [{"type": "text", "text": "one"}, {"type": "text", "text": " two"}])]},
    "later": {"messages": [message("user", "x")], "tools": [TOOL], "tools_in_user_message": False,
              "date_string": "1 Jan 2026", "enable_thinking": False},
}

# --- Small templates: every part of the language. ---

DATA = {
    "n": 7, "m": -3, "x": 2.5, "big": 12345678901234567, "yes": True, "no": False, "nothing": None,
    "s": "Hello, World", "u": "naïve Straße ÀÉ жук Ω 🦊", "blank": "", "spaces": "  two  words \n",
    "l": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "mixed": [1, "a", None, 2.0, True, [1], {"k": 1}],
    "d": {"b": 2, "a": 1, "C": 3}, "nested": {"list": [{"v": 1, "t": "x"}, {"v": 2, "t": "y"}, {"v": 3}], "items": "mine"},
    "people": [{"name": "Ann", "age": 30}, {"name": "bob", "age": 25}, {"name": "Cid", "age": 30}],
    "quote": "it's \"so\"", "text": "one\ntwo\n\nthree", "html": "<a href='x'>&</a>",
}

# One a "¦".
EXPRESSIONS = """
n + m ¦ n - m ¦ n * m ¦ n / 2 ¦ n // 2 ¦ n // m ¦ m // 2 ¦ n % 3 ¦ m % 3 ¦ n % m ¦ n ** 2 ¦ 2 ** -1 ¦ x ** 2 ¦ -n ¦ +n
- -n ¦ -n ** 2 ¦ n + x ¦ x // 1 ¦ x % 1 ¦ -x % 1
1 + 2 * 3 ¦ (1 + 2) * 3 ¦ 2 * 3 % 4 ¦ 2 ** 3 ** 2 ¦ 10 - 3 - 2 ¦ 1 ~ 2 ¦ 1 ~ 2 + 3 ¦ n ~ 'a' ~ x ~ nothing ~ yes
s + '!' ¦ 'ab' * 3 ¦ 3 * 'ab' ¦ [1] * 2
l + [4] ¦ (1, 2) + (3,) ¦ n / 7 ¦ 1 / 3 ¦ 10 / 5 ¦ 0.1 + 0.2 ¦ 1e3 ¦ 1.5e-7 ¦ 1e16 ¦ 1e15 ¦ 123456789.0 ¦ 1_000
5 // 0.3 ¦ big * 2 ¦ n // 0 ¦ n % 0 ¦ n / 0 ¦ 'a' + 1 ¦ 1 + 'a' ¦ nothing + 1
l - l ¦ {} + {} ¦ undefined_thing + 1 ¦ -'a' ¦ yes + yes ¦ yes * 3 ¦ True and 1 ¦ 0 or 'x' ¦ '' or 0 ¦ not n ¦ not 0
not not n ¦ n and m ¦ no or nothing ¦ n > 1 and m < 0 ¦ n == 7 or 1/0
n == 7 ¦ n == 7.0 ¦ 1 == true ¦ '1' == 1 ¦ nothing == none ¦ none == false ¦ l == [3, 1, 2] ¦ (1, 2) == [1, 2]
d == {'a': 1, 'C': 3, 'b': 2} ¦ n != 7 ¦ undefined_a == undefined_b
1 < 2 < 3 ¦ 1 < 3 < 2 ¦ 3 > 2 >= 2 ¦ 'a' < 'b' ¦ 'a' < 'B' ¦ [1, 2] < [1, 3] ¦ (1, 2) < (1, 2, 0) ¦ 1 < 'a' ¦ none < 1
n <= 7 ¦ n >= 8 ¦ 1 < 2.5 ¦ undefined_a < 1
2 in l ¦ 9 in l ¦ 9 not in l ¦ 'lo' in s ¦ 'x' in s ¦ '' in s ¦ 'a' in d ¦ 'z' in d ¦ 1 in d ¦ 1 in s
1 in undefined_a ¦ 2 in n ¦ none in mixed ¦ [1] in mixed ¦ 'a' in ['b'] or 'c' ¦ not 2 in l
n if yes else m ¦ n if no else m ¦ n if no ¦ 'a' if no else 'b' if no else 'c' ¦ (n if yes else m) + 1
1 if 0 else 2 if 1 else 3 ¦ 'x' if undefined_a else 'y'
l[0] ¦ l[-1] ¦ l[3] ¦ l[-4] ¦ l[1:] ¦ l[:1] ¦ l[:-1] ¦ l[::-1] ¦ l[::2] ¦ l[1:2] ¦ l[-2:] ¦ l[5:] ¦ l[:100]
l[2:0:-1] ¦ l[0:3:2] ¦ l[none:2] ¦ l[1:none] ¦ l[::0] ¦ l['a'] ¦ l[yes]
s[0] ¦ s[-1] ¦ s[1:4] ¦ s[::-1] ¦ s[::3] ¦ s[100] ¦ s[7:] ¦ u[2] ¦ u[-1] ¦ u[0:5] ¦ u[::-1] ¦ u[-3:-1] ¦ s[1.5] ¦ n[0]
(1, 2, 3)[1:] ¦ 'abc'[1] ¦ 'abc'[::-2] ¦ blank[0] ¦ blank[1:]
d.a ¦ d['a'] ¦ d.z ¦ d['z'] ¦ d.z.y ¦ nested.list[0].v ¦ nested['list'][1]['t'] ¦ nested.items ¦ nested['items']
nested.list.0.v ¦ d['a' ~ ''] ¦ undefined_a.b ¦ undefined_a ¦ undefined_a[0] ¦ nothing.x ¦ n.x
{'a': 1} ¦ {'a': 1, 'a': 2} ¦ {1: 'x', none: 2} ¦ {} ¦ {'a': {'b': [1, 2, {'c': none}]}}
[1, 'two', 3.0, none, true, (1,), ()] ¦ (1,) ¦ (1, 2) ¦ () ¦ [] ¦ {'x': 1}.x ¦ {'x': 1}['x'] ¦ {[1]: 2}
[[1, 2], [3]][1][0]
'it\\'s' ¦ "say \\"x\\"" ¦ quote ¦ [quote] ¦ ['it\\'s'] ¦ ["a\\nb\\t\\\\"] ¦ 'a' 'b' ¦ '\\x41\\u00e9\\n' ¦ '\\q'
['é', '🦊'] ¦ [1.0, 1e20, 1e-5, 0.0001] ¦ true ¦ True ¦ none ¦ None ¦ false ¦ x ¦ 1.0 ¦ 100.0 ¦ 1e100
s|upper ¦ s|lower ¦ u|upper ¦ u|lower ¦ u|capitalize ¦ s|title ¦ 'don\\'t stop-me now(or)'|title ¦ s|capitalize
spaces|trim ¦ 'xxaxx'|trim('x') ¦ s|length ¦ u|length ¦ l|length ¦ d|length ¦ s|count ¦ n|length ¦ undefined_a|length
s|first ¦ s|last ¦ l|first ¦ l|last ¦ []|first ¦ blank|last ¦ d|first ¦ s|reverse ¦ l|reverse|list ¦ s|list ¦ d|list
l|list ¦ n|list ¦ s|replace('l', 'L') ¦ s|replace('l', 'L', 1) ¦ s|replace('', '-') ¦ s|replace('o, W', '')
n|replace(7, 8)
l|join ¦ l|join(', ') ¦ words|join('/') ¦ people|join(', ', attribute='name') ¦ s|join('.') ¦ []|join('x')
mixed|join('|') ¦ undefined_a|join ¦ d|join(',') ¦ l|join(d='+')
undefined_a|default('x') ¦ undefined_a|default ¦ nothing|default('x') ¦ blank|default('x', true)
blank|default('x', boolean=true) ¦ n|default(1) ¦ d.q|default(d.a) ¦ undefined_a|d('y')
undefined_a|default(default_value='z')
l|sort ¦ l|sort(reverse=true) ¦ words|sort ¦ words|sort(case_sensitive=true)
people|sort(attribute='age')|map(attribute='name')|join
people|sort(attribute='name', reverse=true)|map(attribute='age')|list ¦ mixed|sort ¦ d|sort
d|dictsort ¦ d|dictsort(true) ¦ d|dictsort(by='value') ¦ d|dictsort(reverse=true) ¦ d|items|list
undefined_a|items|list ¦ l|items ¦ d.items()|list ¦ d.keys()|list ¦ d.values()|list ¦ d.get('a') ¦ d.get('z')
d.get('z', 9)
words|unique|list ¦ words|unique(case_sensitive=true)|list ¦ people|unique(attribute='age')|map(attribute='name')|list
l|min ¦ l|max ¦ words|min ¦ words|max ¦ []|min ¦ people|max(attribute='age') ¦ people|min(attribute='age') ¦ l|sum
people|sum(attribute='age') ¦ l|sum(start=10) ¦ words|sum
l|batch(2)|list ¦ l|batch(2, 0)|list ¦ range(7)|slice(3)|list ¦ range(7)|slice(3, 'x')|list ¦ l|map('string')|list
words|map('upper')|join(',') ¦ people|map(attribute='name')|list ¦ people|map(attribute='q', default='-')|list
words|map('replace', 'p', 'P')|list ¦ l|map('nothing_like_it')|list
l|select|list ¦ mixed|select|list ¦ l|select('odd')|list ¦ l|reject('odd')|list ¦ l|select('gt', 1)|list
mixed|select('string')|list ¦ mixed|reject('none')|list ¦ words|reject('equalto', 'fig')|join(' ')
l|select('>', 1)|list ¦ l|select('in', [1, 2])|list
people|selectattr('age', 'equalto', 30)|map(attribute='name')|list ¦ people|rejectattr('age', 'gt', 26)|list
people|selectattr('age')|list|length ¦ nested.list|selectattr('t', 'defined')|list|length
nested.list|rejectattr('t')|list ¦ people|selectattr('name', 'in', ['bob'])|list
n|string ¦ n|string|length ¦ '42'|int ¦ 'x'|int ¦ 'x'|int(default=5) ¦ '3.9'|int ¦ x|int ¦ -2.7|int
'ff'|int(base=16) ¦ '3.5'|float ¦ 'x'|float ¦ n|float ¦ yes|int ¦ nothing|int ¦ ' 12 '|int ¦ '1_0'|int
undefined_a|int ¦ '-4'|int ¦ '+4'|int ¦ '1e3'|int
m|abs ¦ -2.5|abs ¦ x|round ¦ 3.5|round ¦ -2.5|round ¦ 2.675|round(2) ¦ 2.1|round(method='ceil')
2.9|round(method='floor') ¦ n|round ¦ 1.23456|round(3) ¦ n|abs ¦ 'a'|abs ¦ 0.5|round ¦ 1e10|round
d|tojson ¦ nested|tojson ¦ mixed|tojson ¦ s|tojson ¦ u|tojson ¦ quote|tojson ¦ text|tojson ¦ x|tojson ¦ nothing|tojson
(1, 2)|tojson ¦ []|tojson ¦ {}|tojson ¦ d|tojson(indent=2) ¦ nested|tojson(indent=4) ¦ [[]]|tojson(indent=1)
d|tojson(sort_keys=true) ¦ d|tojson(separators=(',', ':')) ¦ undefined_a|tojson ¦ {1: 2, none: 3, true: 4}|tojson
1e20|tojson ¦ [1.0]|tojson(indent=0)
text|indent ¦ text|indent(2) ¦ text|indent(2, true) ¦ text|indent(2, blank=true) ¦ text|indent('> ')
text|indent(width=1, first=true) ¦ s|truncate(8) ¦ s|truncate(8, true) ¦ s|truncate(8, true, '..', 0)
s|truncate(5, leeway=0) ¦ s|truncate ¦ s|center(20) ¦ 'abc'|center(6) ¦ 'abcd'|center(7)
html|escape ¦ html|e ¦ html|safe
'%s-%s'|format(1, 'a') ¦ '%05.1f|%d|%x'|format(x, n, 255) ¦ '%5s|%-5s|'|format('a', 'b') ¦ '%+d %% %r'|format(3, 'q')
'%s' % n ¦ '%s %s' % (1, 2) ¦ '%d' % 'a' ¦ '%s %s'|format(1) ¦ '%.2e'|format(12345.678) ¦ '%s'|format(l)
'%5.2s|'|format('abc') ¦ '%c'|format(1)
n is defined ¦ undefined_a is defined ¦ undefined_a is undefined ¦ n is not defined ¦ nothing is none ¦ n is none
n is not none ¦ s is string ¦ n is string ¦ n is number ¦ x is number ¦ yes is number ¦ s is number ¦ n is integer
x is integer ¦ yes is integer ¦ x is float ¦ yes is boolean ¦ n is boolean
yes is true ¦ 1 is true ¦ no is false ¦ d is mapping ¦ l is mapping ¦ l is sequence ¦ s is sequence ¦ d is sequence
n is sequence ¦ l is iterable ¦ s is iterable ¦ n is iterable ¦ undefined_a is iterable ¦ range is callable
n is callable ¦ n is odd ¦ n is even ¦ 2 is even ¦ n is divisibleby 7 ¦ n is divisibleby(2) ¦ x is odd ¦ 'a' is odd
n is eq 7 ¦ n is equalto 8 ¦ n is ne 7 ¦ n is gt 3 ¦ n is ge 7 ¦ n is lt 3 ¦ n is le 7 ¦ n is sameas 7 ¦ l is sameas l
l is sameas [3,1,2] ¦ 2 is in l ¦ 2 is in [5] ¦ s is lower ¦ 'abc' is lower ¦ 'ABC' is upper ¦ s is upper
'12' is lower ¦ u is lower ¦ 'upper' is filter ¦ 'nope' is filter ¦ 'odd' is test ¦ nothing is sameas none
n is odd and m is odd ¦ n is not odd or true ¦ not n is odd ¦ n + 1 is even ¦ (n + 1) is even
s is string and s is lower ¦ n is nothing_like_it ¦ l | length is odd ¦ l | length > 2 ¦ n | string is string
'a' in words is true ¦ n is odd is true ¦ -3 is odd ¦ s.lower() is lower
s.upper() ¦ s.lower() ¦ s.strip('Hd') ¦ spaces.strip() ¦ spaces.lstrip() ¦ spaces.rstrip() ¦ s.split() ¦ s.split(', ')
s.split('o', 1) ¦ s.split(sep='l') ¦ spaces.split() ¦ spaces.split(none, 1) ¦ s.rsplit('o', 1) ¦ blank.split()
blank.split(',') ¦ s.split('') ¦ text.splitlines() ¦ s.startswith('He') ¦ s.endswith('ld') ¦ s.startswith(('x', 'H'))
s.endswith('x')
s.replace('l', '_') ¦ s.replace('l', '_', 1) ¦ s.title() ¦ 'don\\'t x2y'.title() ¦ s.capitalize() ¦ s.find('o')
s.rfind('o') ¦ s.find('zz') ¦ u.find('🦊') ¦ s.index('W') ¦ s.index('zz') ¦ s.count('l') ¦ s.count('')
'-'.join(words) ¦ ','.join(l) ¦ 'x'.join([]) ¦ s.removeprefix('Hello') ¦ s.removesuffix('World') ¦ s.isdigit()
'12'.isdigit() ¦ 'ab'.isalpha() ¦ 'a1'.isalnum() ¦ ''.isdigit() ¦ 'AB'.isupper() ¦ 'ab'.islower() ¦ ' '.isspace()
s.nothing_like_it() ¦ s.nothing_like_it ¦ l.index(1) ¦ l.index(99) ¦ l.count(1) ¦ l.append(4) ¦ d.update({})
range(3)|list ¦ range(1, 4)|list ¦ range(5, 0, -2)|list ¦ range(0)|list ¦ range(3)|sum ¦ range(2, 1)|list ¦ range('a')
range(1000000)|list|length ¦ range(1, 2, 0)|list ¦ dict(a=1, b=n) ¦ dict(d, a=9) ¦ namespace(a=1).a ¦ namespace().a
namespace({'q': 2}).q ¦ raise_exception('no!') ¦ strftime_now('%Y-%m-%d') ¦ strftime_now('%d %b %Y %H:%M:%S %j %p %%')
strftime_now('%B %A %-d') ¦ strftime_now('')|nothing_like_it() ¦ n() ¦ s|nothing_like_it ¦ n|upper
l|first + 1 ¦ l|join('-')|upper ¦ (l|length) + 1 ¦ -l|length ¦ -(l|first) ¦ l|length + 1 ¦ 'a' ~ l|length
'a' + s|upper ¦ ('a' + s)|upper ¦ 2 * l|length ¦ not l|length ¦ l|map('abs')|sum > 3 ¦ n|string + 'a'
l[l|length - 1] ¦ words[0][1:3]|upper ¦ d['a'] + d.b ¦ {'f': s}.f|lower ¦ [s, u][0].split()[0]
people[0].name ¦ people[-1]['age'] + 1 ¦ people|length ¦ people|map(attribute='name')|map('lower')|join('+')
people|selectattr('age', 'ge', 30)|list|length ¦ people|map(attribute='name')|first ¦ people|first
people|attr('name') ¦ people[0]|attr('name') ¦ 'abc'|attr('upper') ¦ nested|attr('list') ¦ u|length ~ '/' ~ s|length
'ß'|length
''.__class__ ¦ ''.__class__.__mro__ ¦ ().__class__.__base__.__subclasses__() ¦ n.__init__ ¦ n.__init__.__globals__ ¦ l.__len__()
''['__class__'] ¦ ''['__class__']['__mro__'] ¦ ''|attr('__class__') ¦ (''|attr('__class__')).__mro__ ¦ d.__class__ ¦ d['__class__']
self.__init__.__globals__ ¦ joiner.__init__.__globals__ ¦ namespace.__init__.__globals__ ¦ range.__class__.__mro__
'{0.__class__.__mro__}'.format(n) ¦ l.append(1) ¦ l.clear() ¦ d.update({'x': 1}) ¦ d.pop('a') ¦ l|map(attribute='__class__')|list
s.upper.__self__ ¦ s.upper.__call__() ¦ raise_exception.__globals__ ¦ strftime_now.__self__ ¦ __import__('os') ¦ open('/etc/passwd') ¦ eval('1')
""".strip()

STATEMENTS = [
    # loops
    "{% for i in l %}{{ i }},{% endfor %}", "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in l %}{{ loop.index }}/{{ loop.length }} {% endfor %}",
    "{% for i in l %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }};{% endfor %}",
    "{% for i in l %}[{{ loop.previtem }}<{{ i }}<{{ loop.nextitem }}]{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d | dictsort %}{{ k }}={{ v }};{% endfor %}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for c in 'aé🦊' %}<{{ c }}>{% endfor %}", "{% for i in undefined_a %}x{% else %}e{% endfor %}", "{% for i in n %}x{% endfor %}",
    "{% for i in nothing %}x{% endfor %}", "{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for i in l if i > 9 %}x{% else %}none{% endfor %}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{% for j in l %}{{ loop.index }}{% if j == 1 %}{% break %}{% endif %}{% endfor %}|{{ loop.index }} {% endfor %}",
    "{% for i in l %}{% set outer = loop %}{% for j in l %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for i in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in [1, 1, 2, 2, 1] %}{{ 'c' if loop.changed(i) else '-' }}{% endfor %}",
    "{% for i in [1, [2, [3]]] recursive %}{% if i is sequence %}({{ loop(i) }}){% else %}{{ i }}.{{ loop.depth }}{% endif %}{% endfor %}",
    "{% for i in l %}{{ loop(i) }}{% endfor %}", "{{ loop }}", "{% for i in l %}{{ loop.nothing_like_it }}{% endfor %}", "{% break %}",
    "{% for i in l %}{{ i }}{% endfor %}{{ i }}", "{% for i in 1, 2, 3 %}{{ i }}{% endfor %}", "{% for i in (1 if yes else 2), 3 %}{{ i }}{% endfor %}",
    "{% for i in l[:2] + [9] %}{{ i }}{% endfor %}", "{% for loopy in l | sort | reverse %}{{ loopy }}{% endfor %}", "{% for i in l: %}{{ i }}{% endfor %}",
    # scopes
    "{% set a = 1 %}{% for i in l %}{% set a = i %}{{ a }}{% endfor %}{{ a }}", "{% set a = 1 %}{% if yes %}{% set a = 2 %}{% endif %}{{ a }}",
    "{% set ns = namespace(a=1) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}", "{% set ns = namespace() %}{% set ns.q = [1] %}{{ ns.q }}{{ ns.w }}",
    "{% set d.z = 1 %}", "{% set q.z = 1 %}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = [3, 4] %}{{ b }}{{ a }}", "{% set a, b = 1, 2, 3 %}", "{% set a = 1, 2 %}{{ a }}",
    "{% set (a, b) = (b1, 2) %}{{ b }}", "{% set n = n + 1 %}{{ n }}", "{% set a %}x{{ n }}y{% endset %}[{{ a }}]", "{% set a | upper %}x{{ s }}{% endset %}{{ a }}{{ a is string }}",
    "{% set a | replace('x', 'y') | upper %}xx{% endset %}{{ a }}", "{% set a %}{% set b = 5 %}{{ b }}{% endset %}{{ a }}{{ b }}", "{% set none = 1 %}", "{% set a = %}", "{% set 1 = 2 %}",
    "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with %}{% set z = 3 %}{{ z }}{% endwith %}{{ z }}", "{% set a = 5 %}{% with a = a + 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% filter upper %}abc{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}aa{% endfilter %}", "{% filter upper %}{% set w = 'in' %}{{ w }}{% endfilter %}{{ w }}",
    "{% for i in l %}{% if loop.first %}{% set q = 'f' %}{% endif %}{{ q }}{% endfor %}", "{% generation %}x{% set g = 1 %}{{ g }}{% endgeneration %}",
    # conditions
    "{% if n %}a{% endif %}", "{% if no %}a{% else %}b{% endif %}", "{% if no %}a{% elif nothing %}b{% elif yes %}c{% else %}d{% endif %}", "{% if no %}a{% elif no %}b{% else %}{% if yes %}c{% endif %}{% endif %}",
    "{% if l and not blank and d %}t{% endif %}", "{% if undefined_a %}a{% else %}b{% endif %}", "{% if undefined_a.b %}a{% endif %}", "{% if n == 7 and (m == 1 or x) %}y{% endif %}", "{% if n in [1, 7] %}y{% endif %}",
    # macros
    "{% macro f(a, b=2) %}{{ a }}-{{ b }};{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(b=5, a=4) }}{{ f() }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(c=2) }}",
    "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, k=3) }}", "{% macro f(x) %}{{ 'y' if x <= 0 else f(x - 1) ~ x }}{% endmacro %}{{ f(5) }}", "{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(3) }}",
    "{% macro f(a) %}{{ a|upper }}{% endmacro %}{{ f('x') ~ f('y') }}{{ f('q') | length }}", "{% macro f() %}{% set z = 1 %}{{ z }}{% endmacro %}{{ f() }}{{ z }}", "{% set g = 1 %}{% macro f() %}{{ g }}{% endmacro %}{% set g = 2 %}{{ f() }}",
    "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}in{{ n }}{% endcall %}", "{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) f() %}{{ a }}+{{ b }}{% endcall %}", "{% macro f(a=1, b) %}{% endmacro %}",
    "{% macro f() %}x{% endmacro %}{% call f() %}y{% endcall %}", "{% for i in l %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}", "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(12) }}",
    "{% set j = joiner(' / ') %}{% for w in words %}{{ j() }}{{ w }}{% endfor %}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b", "{% macro f(a, a2) %}{{ a2 is defined }}{{ a2 }}{% endmacro %}{{ f(1) }}",
    # white space
    "a\n{% if yes %}\nb\n{% endif %}\nc\n", "  {% if yes %}x{% endif %}  \n y", "a  {%- if yes %}  b  {%- endif %}  c", "a {%- if yes -%} b {%- endif -%} c", "a\n  {%+ if yes %}b{% endif %}\n", "a{% if yes +%}\nb{% endif %}",
    "a\n\n  {{ n }}  \n\nb", "a \n {{- n -}} \n b", "  {{ n }}\n", "{# c #}\na", "  {# c #}  \na", "a {#- c -#} b", "a\n  {#+ c #}\nb", "a\n\t{% set z = 1 %}\n\tb", "{% if yes %}\n\n\nx\n{% endif %}\n\n", "a\r\n{% if yes %}\r\nb{% endif %}\r\n",
    "{% raw %}{{ n }}{% x %}{% endraw %}!", "{% raw -%}  a  {%- endraw %}  b", "a {%- raw %} b {% endraw -%} c", "{% raw %}\na\n{% endraw %}\nb", "x\n  {% raw %}y{% endraw %}\nz", "{% raw %}{{", "a\n", "a\n\n", "\n", "", " ", "{{ n }}\n", "{{ n }}\n\n",
    "{{'}}'}}", "{{ {'a': {'b': 1}}.a.b }}", "{{ {'a': 1}}}", "{{ '{%' }}", "{% set z = '%}' %}{{ z }}", "{ { n } }", "{{n}}{{m}}", "{%if yes%}x{%endif%}", "{{- n }}", "a{{- n }}", "{{ n -}}\n\n b", "{{\nn\n}}", "{% set a = [\n1,\n2,\n] %}{{ a }}",
    "{%- for i in l -%}\n  {{ i }}\n{%- endfor -%}", "{% for i in l %}\n  {{ i }}\n{% endfor %}", "{% for i in l -%}\n  {{ i }},\n{%- endfor %}\nend", "  {%- if yes %}\n  a\n  {%- endif %}\n  b", "x {% if yes %} y {% endif %} z", "{% if yes %}{% if yes %}\n{% endif %}{% endif %}\nq",
    "a {% set z = 1 %} b", "\n\n  {% set z = 1 %}\n\n", "{{ n }}  {% if yes %}\nk{% endif %}", "{{ n }}\n  {% if yes %}\nk{% endif %}", "{% set z = 1 %}  {% if yes %}k{% endif %}", "{% set z = 1 %}\n  {% if yes %}k{% endif %}", "{# a #}  {# b #}\n  {# c #}x",
    "a{#\n\n#}b\n{{ undefined_a.b }}", "{{ n }}{#", "{{ '\n' }}|{{ \"\t\" }}|",
    # what is no template
    "{{ n", "{% if yes %}", "{% endif %}", "{% if %}x{% endif %}", "{{ }}", "{{ n m }}", "{{ n + }}", "{{ (n }}", "{{ n) }}", "{{ [1, }}", "{{ 'a }}", "{% nothing_like_it %}", "{% for %}{% endfor %}", "{% for i l %}{% endfor %}", "{{ n | }}", "{{ n is }}", "{{ n. }}",
    "{{ n ? m }}", "{{ $ }}", "{% if yes %}{% endfor %}", "{% else %}", "{{ {'a' 1} }}", "{{ a.b.c }}", "{{ f(a=1, 2) }}", "{% set %}", "{% macro %}{% endmacro %}", "{{ 1a }}", "{{ n if }}", "{{ not }}", "{{ * }}", "{% for i in l %}{% else %}{% else %}{% endfor %}", "{{ !n }}", "{{ n, m }}", "{{ n, }}", "{{ (n,) }}",
    "{{ n = 1 }}", "{{ l[ }}", "{{ l[] }}", "{{ l[1:2:3:4] }}", "{{ {1, 2} }}", "{% call n %}{% endcall %}", "{% set a = 1 b %}", "{% if yes %}{% elif %}{% endif %}", "{{ 'a' 'b' ~ \"c\" }}", "{{ True if true else }}", "{% print n %}",
    "{{ [1, 2, 3,] }}", "{{ {'a': 1,} }}", "{{ f(1,) }}", "{{ range(3,)|list }}", "{{ ''.join(['a',]) }}", "{{ n;m }}", "{{ 0x10 }}", "{{ 007 }}", "{{ 1__0 }}", "{{ .5 }}", "{{ 5. }}",
]
# What tern refuses and Jinja does not, or the other way round, said in docs/chat.md.
KNOWN = {"{% print n %}", "{{ n }}{#", "{{ l[] }}", "{{ 0x10 }}", "{{ range(3)|random }}", "{% for i in l: %}{{ i }}{% endfor %}"}


def expressions():
    return [one.strip() for line in EXPRESSIONS.split("\n") for one in line.split("¦")]


def case(name, template, variables):
    env = environment()
    result = {"name": name, "template": template}
    try:
        result["text"] = env.from_string(template).render(**variables)
    except Exception:  # whatever Python throws: tern has to say Error
        result["error"] = True
    return result


def main():
    models = []
    for name, template in MODELS.items():
        for key, conversation in CONVERSATIONS.items():
            for prompt in (True, False):
                variables = {"tools": None, "documents": None, "bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>",
                             "add_generation_prompt": prompt, **conversation}
                one = case(f"{name}, {key}, {prompt}", template, variables)
                del one["template"]
                models.append({**one, "model": name, "conversation": key, "prompt": prompt})
    small = [case("", "{{ " + one + " }}", DATA) for one in expressions()]
    small += [case("", one, DATA) for one in STATEMENTS if one not in KNOWN]
    small = [one for one in small if " at 0x" not in one.get("text", "")]  # an address is nobody's text
    for one in small:
        del one["name"]
    golden = {"now": list(NOW.timetuple())[:8], "models": MODELS, "conversations": CONVERSATIONS, "model_cases": models,
              "data": DATA, "small_cases": small}
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    errors = sum("error" in one for one in models + small)
    print(f"{GOLDEN}: {len(models)} + {len(small)} cases, {errors} of them errors, {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
