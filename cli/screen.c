/* screen.c - a terminal that is drawn on, and given back as it was.
 *
 * No library: what is used here every terminal of the last decades knows (ECMA-48, and the alternate
 * screen of xterm).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Another screen, no cursor, no wrapping of long lines; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

struct screen_state {
    struct termios terminal;
    struct sigaction interrupt, terminate;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

int screen_open(struct cli *cli, struct screen *screen, int draw)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct screen_state *state = cli_alloc(cli, sizeof *state);

    screen->state = state;
    screen->drawing = 0;
    ended = 0;
    /* Before the terminal is changed: from here on it is given back. These cannot fail. */
    (void)sigaction(SIGINT, &action, &state->interrupt);
    (void)sigaction(SIGTERM, &action, &state->terminate);
    if (draw && tcgetattr(STDIN_FILENO, &state->terminal) == 0) {
        struct termios keys = state->terminal;

        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VSUSP] = _POSIX_VDISABLE; /* stopped, we would leave the screen as it is */
        if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &keys) < 0)
            return fail_errno(cli, "the terminal");
        screen->drawing = 1;
        fputs(ENTER, stdout);
    }
    return 0;
}

void screen_size(int *ret_rows, int *ret_columns)
{
    struct winsize size;
    int known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;

    *ret_rows = known ? size.ws_row : 24;
    *ret_columns = known ? size.ws_col : 80;
}

int screen_wait(struct screen *screen, double seconds)
{
    struct pollfd keyboard = {.fd = screen->drawing ? STDIN_FILENO : -1, .events = POLLIN};
    double until = clock_now() + seconds;
    unsigned char key;

    while (!ended) {
        double left = until - clock_now();
        int ready;

        if (left <= 0)
            return KEY_NONE;
        /* Rounded up, so that the last millisecond is not spent in a loop. A signal ends it. */
        ready = poll(&keyboard, 1, left > 3600 ? 3600000 : (int)(left * 1000) + 1);
        if (ready > 0)
            return read(STDIN_FILENO, &key, 1) == 1 ? key : KEY_END;
        if (ready < 0 && errno != EINTR)
            return KEY_END;
    }
    return KEY_END;
}

void screen_show(const char *frame)
{
    const char *line = frame;

    fputs("\033[H", stdout);
    while (*line) {
        size_t length = strcspn(line, "\n");

        /* The rest of the old line goes; no newline behind the last one, which would scroll. */
        printf("%.*s\033[K%s", (int)length, line, line[length] && line[length + 1] ? "\r\n" : "");
        line += length + (line[length] != '\0');
    }
    fputs("\033[J", stdout);
    (void)fflush(stdout); /* main.c looks at ferror */
}

void screen_close(struct screen *screen)
{
    struct screen_state *state = screen->state;

    if (screen->drawing) {
        fputs(LEAVE, stdout);
        (void)fflush(stdout);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &state->terminal); /* it may be gone */
    }
    (void)sigaction(SIGINT, &state->interrupt, NULL);
    (void)sigaction(SIGTERM, &state->terminate, NULL);
}
