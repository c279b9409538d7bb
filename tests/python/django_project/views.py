"""The pages of the test site; `made` counts what was computed anew.

SPDX-License-Identifier: Apache-2.0
"""

from collections import Counter

from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_page

made = Counter()


def visits(request):
    """Counts in the session, and for all visitors in the cache."""
    request.session['visits'] = request.session.get('visits', 0) + 1
    total = cache.incr('total', default=0)
    return HttpResponse('%d of %d' % (request.session['visits'], total))


@cache_page(60)
def page(request, number):
    made['page'] += 1
    return HttpResponse('page %d, made %d times' % (number, made['page']))


def slow():
    made['fragment'] += 1
    return made['fragment']


def fragments(request, user):
    return render(request, 'fragments.html', {'user': user, 'slow': slow})


async def asynchronous(request):
    async def compute():
        made['async'] += 1
        return made['async']

    value = await cache.aget('async')
    if value is None:
        value = await compute()
        await cache.aset('async', value, 60)
    return HttpResponse(str(value))
