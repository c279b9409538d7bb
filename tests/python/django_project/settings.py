"""A small site whose sessions, pages and template fragments are cached by DjangoCache.

SPDX-License-Identifier: Apache-2.0
"""

import os
from pathlib import Path

SECRET_KEY = 'for tests only'
ALLOWED_HOSTS = ['testserver']
ROOT_URLCONF = 'django_project.urls'
USE_TZ = True
INSTALLED_APPS = ['django.contrib.sessions', 'django_project']
DATABASES = {}
MIDDLEWARE = ['django.contrib.sessions.middleware.SessionMiddleware']
SESSION_ENGINE = 'django.contrib.sessions.backends.cache'
TEMPLATES = [
    {
        'BACKEND': 'django.template.backends.django.DjangoTemplates',
        'DIRS': [Path(__file__).parent / 'templates'],
    },
]
CACHES = {
    'default': {
        'BACKEND': 'diskcache.DjangoCache',
        'LOCATION': os.path.join(os.environ['CACHE_DIRECTORY'], 'default'),
        'TIMEOUT': 300,
        'SHARDS': 4,
        'DATABASE_TIMEOUT': 5,
        'KEY_PREFIX': 'site',
        'OPTIONS': {'size_limit': 2**26, 'eviction_policy': 'least-recently-used', 'tag_index': 1},
    },
    'other': {
        'BACKEND': 'diskcache.DjangoCache',
        'LOCATION': os.path.join(os.environ['CACHE_DIRECTORY'], 'other'),
        'TIMEOUT': None,
        'VERSION': 2,
    },
}
