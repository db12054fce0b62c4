/* The first process of a Pod: waits until it is told to end, and collects children that nobody waits for. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void) {
    sigset_t signals;
    int signal_number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    for (;;) {
        if (sigwait(&signals, &signal_number) != 0) return EXIT_FAILURE;
        if (signal_number != SIGCHLD) return EXIT_SUCCESS;
        while (waitpid(-1, NULL, WNOHANG) > 0) { }
    }
}
