"""The way to the platform: `base` is the contract, `wallaroo_sdk` keeps it by means of the SDK.

The SDK has traps for a program with many users and threads. Each is handled in one place and, as
far as it can be shown, has a test in `tests/contract/test_traps_*.py`:

=====================================================  ===========================================
Trap                                                   What is done
=====================================================  ===========================================
One token cache file for all users and servers         own log-in; `token` clients (`tokens`)
`sso` prints and blocks                                never used
`token` never refreshes; a 401 is not recognisable     refreshed at 70 % of life and after a 401;
                                                       reads are sent once more (`wire`)
One client is not thread-safe                          lent to one call at a time (`clients`)
The "current workspace" is state of the client         set in the call that needs it, while lent
deploy waits 45 s, undeploy 45 s, upload 30 min        not waited for; `status` is asked instead
infer re-posts up to ten times                         `async_infer`, one attempt (`inference`)
infer of a dict hides the engine's error               `async_infer`, which does not
Failed delete, unlink and link say nothing             read again and compared (`connection_calls`)
Bare exceptions with fixed texts                       the wire remembers the answer (`sdk_errors`)
"Error" of a deployment is not final                   `status` passes it on; services wait
status raises, or returns a sentence, if not deployed  asked without it; a 404 is a state
N+1 requests for a list                                one GraphQL document of ours
repr, str and HTML of SDK objects cost requests        never called; accessors only (`translate`)
Connection details come with every list                described and dropped at once (`translate`)
Prints and talkative loggers                           prints are short and harmless: names only;
                                                       a failing print does not fail a deploy;
                                                       loggers that log bodies are turned down
upload does not raise when the conversion failed       the version's status is asked
deploy makes a new version each time, and writes       skipped when the same runs; new builder
into its configuration                                 each time
Steps of a fetched pipeline are empty                  read from the versions' definitions
Frames cut decimals after ten places and are slow      rows are sent as JSON (`inference`)
The CA bundle is read for every call                   one pool of connections; a hashed folder
The default architecture is a global                   one configuration for all clients
Proxies of the environment                             never for this machine (`wire`)
Import takes 2-3 s and warns                           on first use or `warm_up`; silenced
60 s limits that cannot be changed                     our own limit per request, body included
Sockets are left to the garbage collector              one pool, closed with the gateway
=====================================================  ===========================================
"""
