/* scenarios.h - the operations that test_faults.c runs while something in them fails. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "support.h"

struct scenario {
    const char *name;
    void (*prepare)(struct place *place); /* the state before, through place->cache; may be NULL */
    int (*run)(struct place *place);      /* one operation; its status */
    int wanted;                           /* that status, when nothing fails */
    unsigned flags;
};

enum {
    IN_BATCHES = 1,  /* what was done before a failure stays done */
    EITHER = 2,      /* after a failure the state may be the new one: only dead items have gone */
    BROKEN = 4,      /* the state before has rows without files, or files without rows */
    OPENS = 8,       /* place->cache is closed when it runs */
    READS = 16,      /* and changes nothing */
    OWN = 32,        /* it looks at the state itself */
    EACH_SHARD = 64, /* after a failure each shard has the state before or the one after */
    EVICTS =
        128 /* on a disk that seems full others may go, whole, whether it then succeeds or not */
};

/* What a run does after its operation is not to fail. */
void faults_off(void);

/* scenarios_reads.c. The first two see whether what an operation has handed back is right, and clear it. */
int check_k(int rc, struct dcache_entry *entry, const struct dcache_value *value);
int check_descriptor(int rc, struct dcache_entry *entry, const char *begins, off_t size);
int get_small(struct place *place);
int get_large(struct place *place);
int get_descriptor(struct place *place);
int get_file_descriptor(struct place *place);
int get_number_descriptor(struct place *place);
int contains(struct place *place);
int iterate(struct place *place);
int iterate_keys(struct place *place);
int iterate_by_key(struct place *place);
int read_figures(struct place *place);

/* scenarios_recipes.c */
int lock_and_unlock(struct place *place);
int rlock_and_unlock(struct place *place);
int permit_and_back(struct place *place);
void held_by_the_dead(struct place *place);
int take_over(struct place *place);
int break_it(struct place *place);
void averaged(struct place *place);
int add_to_average(struct place *place);
int pop_average(struct place *place);
void full_bucket(struct place *place);
int take_token(struct place *place);
int memoize_new(struct place *place);

extern const struct scenario scenarios[];
extern const size_t scenario_count;
extern const struct scenario collection_scenarios[]; /* scenarios_collections.c */
extern const size_t collection_scenario_count;
extern const struct scenario txn_scenarios[]; /* scenarios_txn.c */
extern const size_t txn_scenario_count;

/* scenarios_fanout.c: on a cache of two directories */
extern const struct scenario fanout_scenarios[];
extern const size_t fanout_scenario_count;

#endif
