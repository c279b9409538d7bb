"""Where the pages of the test site are.

SPDX-License-Identifier: Apache-2.0
"""

from django.urls import path
from django_project import views

urlpatterns = [
    path('visits', views.visits),
    path('page/<int:number>', views.page),
    path('fragments/<str:user>', views.fragments),
    path('async', views.asynchronous),
]
