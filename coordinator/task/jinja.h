/* jinja.h - Jinja2 templates as task definitions use them.
 *
 * The environment is lm-evaluation-harness's: StrictUndefined (an unknown name is an error, except
 * for `is defined` and `default`), a trailing newline is kept, nothing is escaped, blocks trim
 * nothing unless `-` says so.  What a template may say:
 *
 *     {{ expression }}  {% if elif else %}  {% for x, y in z if c %} else  {% set a = b %}  {# #}
 *     literals, + - * / // % ** ~, comparisons, in, is, and or not, a if b else c, a.b, a[b],
 * a[b:c:d], filters and tests (jinja_filter.c), methods of str, list and dict (jinja_method.c),
 * range()
 *
 * Anything else is refused when the template is compiled, with its line and its name.  A template
 * is untrusted: nodes, depth, steps, memory and output are bounded, and errors never quote a value.
 */
#ifndef JINJA_H
#define JINJA_H

#include "coordinator/task/value.h"

#define TEMPLATE_BYTES_MAX (64 * 1024)
#define TEMPLATE_DEPTH_MAX 48
#define TEMPLATE_STEPS_MAX 200000

struct template;

bool template_compile(struct template **out, struct text source, struct err *err) MUST;
void template_free(struct template *template);
AUTO_FREES(struct template *, template_free)

/* Appends to out.  document is a dict: its keys are the template's variables. */
bool template_render(struct buf *out, const struct template *template, const struct value *document,
                     struct heap *heap, struct err *err) MUST;

#endif
